-- What belongs to nobody is found without the mails of jobs and of received SMS, which are many and kept longer; rows of
-- the outbox stand only in the index of what they belong to.

DROP INDEX "outbox_of_no_job";
DROP INDEX "outbox_job_key";
DROP INDEX "outbox_sms_key";
CREATE INDEX "outbox_job" ON "outbox" ("job_key") WHERE ("job_key" IS NOT NULL);
CREATE INDEX "outbox_sms" ON "outbox" ("sms_key") WHERE ("sms_key" IS NOT NULL);
CREATE INDEX "outbox_of_nobody" ON "outbox" ("ended_at", "kind", "key") WHERE (("job_key" IS NULL) AND ("sms_key" IS NULL));
