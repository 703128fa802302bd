-- Applications: the login that gave in a job, and what its customer calls a recipient.

ALTER TABLE "job" ADD COLUMN "login" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "customer_ref" TEXT NOT NULL DEFAULT '';
ALTER TABLE "job" ADD COLUMN "esme" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "udh" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "registered" SMALLINT NOT NULL DEFAULT 0;
