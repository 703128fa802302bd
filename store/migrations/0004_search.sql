-- What a search for jobs reads: the senders beside the time of a job, and the messages that ended badly.

ALTER TABLE "job" ADD COLUMN "sender" TEXT NOT NULL DEFAULT '';
UPDATE "job" SET "sender" = lower(CASE WHEN "user_address" <> '' THEN "user_address" WHEN "header_from" <> '' THEN "header_from" ELSE "reverse_path" END);
DROP INDEX "job_accepted";
CREATE INDEX "job_accepted" ON "job" ("accepted_at", "key", "mail_id", "customer_key", "sender");
CREATE INDEX "message_ended_badly" ON "message" ("state", "key") WHERE state IN ('undelivered', 'expired', 'rejected', 'failed', 'cancelled', 'unknown');
