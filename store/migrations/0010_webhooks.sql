-- Jobs that were sent with a sandbox key.

ALTER TABLE "job" ADD COLUMN "sandbox" BOOLEAN NOT NULL DEFAULT FALSE;
