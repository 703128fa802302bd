-- Applications: the login that gave in a job, and what its customer calls a recipient.

ALTER TABLE "job" ADD COLUMN "login" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "customer_ref" TEXT NOT NULL DEFAULT '';
ALTER TABLE "job" ADD COLUMN "esme" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "udh" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "registered" SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE "message" ADD COLUMN "push_states" TEXT NOT NULL DEFAULT '';

ALTER TABLE "credential" ADD COLUMN "scopes" TEXT NOT NULL DEFAULT '';
ALTER TABLE "credential" ADD COLUMN "expires_at" BIGINT;
ALTER TABLE "credential" ADD COLUMN "sandbox" BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE "api_key_use" (
    "login" TEXT NOT NULL PRIMARY KEY,
    "used_at" BIGINT NOT NULL
);

ALTER TABLE "push_key" ADD COLUMN "previous" TEXT NOT NULL DEFAULT '';
ALTER TABLE "push_key" ADD COLUMN "previous_until" BIGINT NOT NULL DEFAULT 0;
