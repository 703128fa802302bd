-- What a search for jobs reads: the senders beside the time of a job, and the messages that ended badly.

DROP INDEX "job_accepted";
CREATE INDEX "job_accepted" ON "job" ("accepted_at", "key", "mail_id", "customer_key", "user_address", "header_from", "reverse_path");
CREATE INDEX "message_ended_badly" ON "message" ("state", "key") WHERE state IN ('undelivered', 'expired', 'rejected', 'failed', 'cancelled', 'unknown');
