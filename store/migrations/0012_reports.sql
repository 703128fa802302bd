-- Sums of what was sent and received, by day; what of each job and inbound SMS stands in them, and until when their texts
-- are kept; months that are closed.

CREATE TABLE "job_sum" (
    "job_key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "closed_at" BIGINT NOT NULL,
    "changes" INTEGER NOT NULL DEFAULT 0,
    "counted" TEXT NOT NULL DEFAULT '',
    "texts_until" BIGINT
);
INSERT INTO "job_sum" ("job_key", "customer_key", "closed_at", "changes")
    SELECT "key", "customer_key", "settled_at", 1 FROM "job" WHERE "settled_at" IS NOT NULL;
CREATE INDEX "job_sum_due" ON "job_sum" ("job_key") WHERE changes > 0;
CREATE INDEX "job_sum_closed" ON "job_sum" ("closed_at");
CREATE INDEX "job_sum_texts" ON "job_sum" ("texts_until") WHERE texts_until IS NOT NULL;
CREATE TABLE "traffic_sum" (
    "customer_key" BIGINT NOT NULL,
    "day" TEXT NOT NULL,
    "zone" TEXT NOT NULL,
    "direction" TEXT NOT NULL,
    "service" TEXT NOT NULL,
    "cost_centre" TEXT NOT NULL,
    "user_address" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "carrier" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "corrected_on" TEXT NOT NULL,
    "messages" INTEGER NOT NULL,
    "parts" INTEGER NOT NULL,
    "billed" INTEGER NOT NULL,
    "unanswered" INTEGER NOT NULL,
    PRIMARY KEY ("customer_key", "day", "zone", "direction", "service", "cost_centre", "user_address", "country", "carrier", "state", "corrected_on")
) WITHOUT ROWID;
CREATE TABLE "archive_month" (
    "customer_key" BIGINT NOT NULL,
    "month" TEXT NOT NULL,
    "zone" TEXT NOT NULL,
    "closed_at" BIGINT NOT NULL,
    PRIMARY KEY ("customer_key", "month")
);
ALTER TABLE "inbound_sms" ADD COLUMN "summed" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "inbound_sms" ADD COLUMN "part_count" SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE "inbound_sms" ADD COLUMN "texts_until" BIGINT;
CREATE INDEX "inbound_sms_unsummed" ON "inbound_sms" ("key") WHERE NOT summed;
CREATE INDEX "inbound_sms_texts" ON "inbound_sms" ("texts_until") WHERE texts_until IS NOT NULL;
CREATE INDEX "conversation_used_at" ON "conversation" ("used_at");
