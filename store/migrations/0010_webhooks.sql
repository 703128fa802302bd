-- Jobs that were sent with a sandbox key; keys of users beside those of customers, for webhooks of their own.

ALTER TABLE "job" ADD COLUMN "sandbox" BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE "push_key" RENAME COLUMN "customer_key" TO "owner_key";
ALTER TABLE "push_key" ADD COLUMN "customer_key" BIGINT NOT NULL DEFAULT 0;
UPDATE "push_key" SET "customer_key" = "owner_key";
ALTER TABLE "push_key" ADD COLUMN "paused" BOOLEAN NOT NULL DEFAULT FALSE;
