-- Details: what messages are searched by, one narrow row each. Of those from before, cost centre and country are unknown.

CREATE TABLE "detail" (
    "customer_key" BIGINT NOT NULL,
    "accepted_at" BIGINT NOT NULL,
    "key" BIGINT NOT NULL,
    "service" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    "sender_id" TEXT NOT NULL,
    "cost_centre" TEXT NOT NULL,
    "reference" TEXT NOT NULL,
    "customer_ref" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "carrier" TEXT NOT NULL,
    "sent_at" BIGINT,
    "ended_at" BIGINT,
    PRIMARY KEY ("customer_key", "accepted_at", "key")
) WITHOUT ROWID;
INSERT INTO "detail" ("customer_key", "accepted_at", "key", "service", "sender", "sender_id", "cost_centre", "reference", "customer_ref", "country", "state", "carrier", "sent_at", "ended_at")
    SELECT j."customer_key", j."accepted_at", m."key", j."service", j."sender", m."sender", '', j."reference", m."customer_ref", '',
        CASE WHEN m."ended" THEN m."state" ELSE '' END,
        COALESCE((SELECT MAX(p."carrier") FROM "part" p WHERE p."message_key" = m."key"), ''),
        (SELECT MIN(p."submitted_at") FROM "part" p WHERE p."message_key" = m."key"),
        CASE WHEN m."ended" THEN m."updated_at" END
    FROM "message" m JOIN "job" j ON j."key" = m."job_key";

-- A customer's inbound SMS in the order in which they came.
DROP INDEX "inbound_sms_customer";
CREATE INDEX "inbound_sms_customer" ON "inbound_sms" ("customer_key", "received_at", "key");
