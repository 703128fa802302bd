-- Inbound SMS: our numbers, actions, what came and what followed; stop lists; the customers' contracted options.

ALTER TABLE "customer" ADD COLUMN "options" TEXT;
ALTER TABLE "customer" ADD COLUMN "stop_listed" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "job" ADD COLUMN "past_stop" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "job" ADD COLUMN "header_sender" TEXT NOT NULL DEFAULT '';
ALTER TABLE "job" ADD COLUMN "unanswerable" TEXT NOT NULL DEFAULT '';
ALTER TABLE "outbox" ADD COLUMN "sms_key" BIGINT;
ALTER TABLE "outbox" ADD COLUMN "customer_key" BIGINT;
ALTER TABLE "outbox" ADD COLUMN "sequence" TEXT NOT NULL DEFAULT '';
ALTER TABLE "outbox" ADD COLUMN "replayed_at" BIGINT;
CREATE INDEX "outbox_sms_key" ON "outbox" ("sms_key");
CREATE INDEX "outbox_sequence" ON "outbox" ("sequence", "key") WHERE (("sequence" != '') AND ("ended_at" IS NULL));
CREATE INDEX "outbox_push" ON "outbox" ("key") WHERE ("channel" = 'push');
CREATE INDEX "message_number" ON "message" ("number", "key");
CREATE INDEX "inbound_fragment_text" ON "inbound_fragment" ("source", "destination", "reference");

CREATE TABLE "own_number" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "digits" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "sharing" TEXT NOT NULL,
    "customer_key" BIGINT,
    "carriers" TEXT NOT NULL,
    "join_seconds" INTEGER NOT NULL
);
CREATE INDEX "own_number_customer_key" ON "own_number" ("customer_key");
CREATE UNIQUE INDEX "own_number_digits_country" ON "own_number" ("digits", "country");

CREATE TABLE "number_share" (
    "number_key" BIGINT NOT NULL,
    "word" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    PRIMARY KEY ("number_key", "word")
);
CREATE INDEX "number_share_customer_key" ON "number_share" ("customer_key");

CREATE TABLE "keyword" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "number_key" BIGINT,
    "word" TEXT NOT NULL,
    "folded" TEXT NOT NULL,
    "open_end" BOOLEAN NOT NULL
);
CREATE INDEX "keyword_customer_key_folded" ON "keyword" ("customer_key", "folded");

CREATE TABLE "inbound_action" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "canonical" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "settings" TEXT NOT NULL,
    "number_key" BIGINT,
    "keyword_key" BIGINT,
    "active" BOOLEAN NOT NULL,
    "problem" TEXT NOT NULL,
    "next_at" BIGINT,
    "listed_key" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "inbound_action_customer_key_canonical" ON "inbound_action" ("customer_key", "canonical");

CREATE TABLE "inbound_sms" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "carrier" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "destination" TEXT NOT NULL,
    "phone" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "shown" TEXT NOT NULL,
    "number_key" BIGINT,
    "customer_key" BIGINT,
    "customer" TEXT NOT NULL,
    "keyword" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "handled_at" BIGINT NOT NULL,
    "reference" INTEGER,
    "total" SMALLINT NOT NULL,
    "missing" TEXT NOT NULL,
    "awaited" TEXT NOT NULL,
    "late_of" BIGINT,
    "conversation_key" BIGINT
);
CREATE UNIQUE INDEX "inbound_sms_public_id" ON "inbound_sms" ("public_id");
CREATE INDEX "inbound_sms_received_at" ON "inbound_sms" ("received_at");
CREATE INDEX "inbound_sms_phone" ON "inbound_sms" ("phone", "key");
CREATE INDEX "inbound_sms_awaited" ON "inbound_sms" ("handled_at") WHERE ("awaited" != '');
CREATE INDEX "inbound_sms_customer" ON "inbound_sms" ("customer_key", "key");

CREATE TABLE "inbound_effect" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "sms_key" BIGINT NOT NULL,
    "action_key" BIGINT,
    "kind" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "outbox_key" BIGINT,
    "job_id" TEXT NOT NULL
);
CREATE INDEX "inbound_effect_sms_key" ON "inbound_effect" ("sms_key");
CREATE INDEX "inbound_effect_list" ON "inbound_effect" ("action_key", "sms_key") WHERE ("kind" = 'list');

CREATE TABLE "conversation" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "phone" TEXT NOT NULL,
    "own_number" TEXT NOT NULL,
    "last_mail_id" TEXT NOT NULL,
    "used_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "conversation_phone_customer_key_own_number" ON "conversation" ("phone", "customer_key", "own_number");

CREATE TABLE "stop_entry" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "service" TEXT NOT NULL,
    "number" TEXT NOT NULL,
    "added_at" BIGINT NOT NULL,
    "origin" TEXT NOT NULL,
    "evidence" TEXT NOT NULL,
    "word" TEXT NOT NULL,
    "ended_at" BIGINT,
    "ended_by" TEXT NOT NULL
);
CREATE UNIQUE INDEX "stop_entry_in_force" ON "stop_entry" ("number", "customer_key", "service") WHERE ("ended_at" IS NULL);
CREATE INDEX "stop_entry_customer" ON "stop_entry" ("customer_key", "number");

CREATE TABLE "automatic_answer" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "phone" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "at" BIGINT NOT NULL
);
CREATE INDEX "automatic_answer_at" ON "automatic_answer" ("at");
CREATE INDEX "automatic_answer_phone" ON "automatic_answer" ("phone", "at");
