-- Directories: users in versions that a run makes visible at once, claims of domains, and an audit by customer and field.

ALTER TABLE "customer" ADD COLUMN "admin_address" TEXT NOT NULL DEFAULT '';
ALTER TABLE "mail_user" ADD COLUMN "user_key" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "mail_user" ADD COLUMN "phone" TEXT NOT NULL DEFAULT '';
ALTER TABLE "mail_user" ADD COLUMN "directory_key" BIGINT;
ALTER TABLE "mail_user" ADD COLUMN "anchor" TEXT NOT NULL DEFAULT '';
ALTER TABLE "mail_user" ADD COLUMN "disabled" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "mail_user" ADD COLUMN "unseen_at" BIGINT;
ALTER TABLE "mail_user" ADD COLUMN "missing_at" BIGINT;
ALTER TABLE "mail_user" ADD COLUMN "since_run" BIGINT;
ALTER TABLE "mail_user" ADD COLUMN "until_run" BIGINT;
UPDATE "mail_user" SET "user_key" = "key";
DROP INDEX "mail_user_address";
ALTER TABLE "setting" ADD COLUMN "since_run" BIGINT;
ALTER TABLE "setting" ADD COLUMN "until_run" BIGINT;
DROP INDEX "setting_owner_key_scope_service_field";
ALTER TABLE "audit" ADD COLUMN "customer_key" BIGINT;
ALTER TABLE "audit" ADD COLUMN "field" TEXT NOT NULL DEFAULT '';
ALTER TABLE "audit" ADD COLUMN "before" TEXT NOT NULL DEFAULT '';
ALTER TABLE "audit" ADD COLUMN "after" TEXT NOT NULL DEFAULT '';
ALTER TABLE "audit" ADD COLUMN "run_key" BIGINT;
ALTER TABLE "distribution_list" ADD COLUMN "members_key" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "distribution_list" ADD COLUMN "directory_key" BIGINT;
UPDATE "distribution_list" SET "members_key" = "key";
DROP TABLE "carrier_lease";
CREATE INDEX "mail_user_user_key" ON "mail_user" ("user_key");
CREATE INDEX "mail_user_address" ON "mail_user" ("address");
CREATE INDEX "mail_user_directory_key" ON "mail_user" ("directory_key");
CREATE INDEX "mail_user_since_run" ON "mail_user" ("since_run");
CREATE INDEX "mail_user_until_run" ON "mail_user" ("until_run");
CREATE INDEX "setting_since_run" ON "setting" ("since_run");
CREATE INDEX "setting_until_run" ON "setting" ("until_run");
CREATE INDEX "setting_owner_key_scope_service_field" ON "setting" ("owner_key", "scope", "service", "field");
CREATE INDEX "audit_customer_key" ON "audit" ("customer_key");
CREATE INDEX "audit_run_key" ON "audit" ("run_key");

CREATE TABLE "domain_claim" (
    "customer_key" BIGINT NOT NULL,
    "domain" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "claimed_at" BIGINT NOT NULL,
    PRIMARY KEY ("customer_key", "domain")
);

CREATE TABLE "directory" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "canonical" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "options" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL,
    "cookie" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "full_at" BIGINT,
    "synced_at" BIGINT,
    "due_at" BIGINT,
    "failures" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "directory_customer_key_canonical" ON "directory" ("customer_key", "canonical");

CREATE TABLE "directory_run" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "directory_key" BIGINT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "state" TEXT NOT NULL,
    "mode" TEXT NOT NULL,
    "began_at" BIGINT NOT NULL,
    "ended_at" BIGINT,
    "asked_by" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "counts" TEXT NOT NULL,
    "problem" TEXT NOT NULL,
    "faults" TEXT NOT NULL,
    "held_for" TEXT NOT NULL,
    "base_version" BIGINT NOT NULL,
    "cookie" TEXT NOT NULL,
    "options_digest" TEXT NOT NULL,
    "list_sets" TEXT NOT NULL,
    "approved_by" TEXT NOT NULL,
    "ready_at" BIGINT,
    "swept" BOOLEAN NOT NULL
);
CREATE INDEX "directory_run_directory_key" ON "directory_run" ("directory_key");
CREATE INDEX "directory_run_state" ON "directory_run" ("state");

CREATE TABLE "lease" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "owner" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL
);
