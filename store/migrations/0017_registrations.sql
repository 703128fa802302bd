-- Sender IDs that are registered, or shall be: of whom, where and for what, with the papers that prove it.

CREATE TABLE "registration" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "carrier" TEXT NOT NULL DEFAULT '',
    "use_case" TEXT NOT NULL DEFAULT '',
    "company" TEXT NOT NULL DEFAULT '',
    "local_entity" TEXT NOT NULL DEFAULT '',
    "volume" INTEGER NOT NULL DEFAULT 0,
    "samples" TEXT NOT NULL DEFAULT '[]',
    "state" TEXT NOT NULL,
    "reason" TEXT NOT NULL DEFAULT '',
    "asked_by" TEXT NOT NULL,
    "made_at" BIGINT NOT NULL,
    "changed_at" BIGINT NOT NULL,
    "approved_at" BIGINT,
    "until_day" TEXT NOT NULL DEFAULT '',
    "renewing" BOOLEAN NOT NULL DEFAULT FALSE,
    "next_at" BIGINT,
    "idle_at" BIGINT,
    "warned_at" BIGINT
);
CREATE UNIQUE INDEX "registration_public_id" ON "registration" ("public_id");
CREATE INDEX "registration_customer_key" ON "registration" ("customer_key");
CREATE INDEX "registration_next_at" ON "registration" ("next_at");
CREATE INDEX "registration_idle_at" ON "registration" ("idle_at");
CREATE TABLE "registration_paper" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "registration_key" BIGINT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "content" BYTEA NOT NULL,
    "added_at" BIGINT NOT NULL,
    "added_by" TEXT NOT NULL
);
CREATE UNIQUE INDEX "registration_paper_registration_key_name" ON "registration_paper" ("registration_key", "name");
CREATE INDEX "registration_paper_customer_key" ON "registration_paper" ("customer_key");
