-- Care of customers: who is suspended and why, what the operator asks of them, and what they ask of it.

CREATE TABLE "suspension" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "option" TEXT NOT NULL DEFAULT '',
    "reason" TEXT NOT NULL,
    "from_at" BIGINT NOT NULL,
    "until_at" BIGINT,
    "in_force" BOOLEAN NOT NULL,
    "declaration_key" BIGINT
);
CREATE INDEX "suspension_customer_key" ON "suspension" ("customer_key");

CREATE TABLE "declaration" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "texts" TEXT NOT NULL,
    "made_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "declaration_name_version" ON "declaration" ("name", "version");
CREATE TABLE "declaration_request" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "declaration_key" BIGINT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "asked_at" BIGINT NOT NULL,
    "due_at" BIGINT NOT NULL,
    "suspends" BOOLEAN NOT NULL,
    "next_at" BIGINT,
    "confirmed_at" BIGINT,
    "confirmed_by" TEXT NOT NULL DEFAULT '',
    "language" TEXT NOT NULL DEFAULT ''
);
CREATE INDEX "declaration_request_declaration_key" ON "declaration_request" ("declaration_key");
CREATE INDEX "declaration_request_customer_key" ON "declaration_request" ("customer_key");
CREATE INDEX "declaration_request_next_at" ON "declaration_request" ("next_at");

CREATE TABLE "support_request" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "opened_by" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "job_id" TEXT NOT NULL DEFAULT '',
    "trace" TEXT NOT NULL DEFAULT '',
    "state" TEXT NOT NULL,
    "opened_at" BIGINT NOT NULL,
    "changed_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "support_request_public_id" ON "support_request" ("public_id");
CREATE INDEX "support_request_customer_key" ON "support_request" ("customer_key");
CREATE INDEX "support_request_state_changed_at" ON "support_request" ("state", "changed_at");
CREATE TABLE "support_post" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "request_key" BIGINT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "at" BIGINT NOT NULL,
    "side" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "digest" TEXT NOT NULL DEFAULT ''
);
CREATE INDEX "support_post_request_key" ON "support_post" ("request_key");
CREATE INDEX "support_post_customer_key" ON "support_post" ("customer_key");
