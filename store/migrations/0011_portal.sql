-- The portal: who signs in, as what at which customer, and the sessions and links that are under way.

CREATE TABLE "portal_account" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "address" TEXT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "language" TEXT NOT NULL DEFAULT '',
    "zone" TEXT NOT NULL DEFAULT '',
    "verifier" TEXT NOT NULL DEFAULT '',
    "totp_secret" TEXT NOT NULL DEFAULT '',
    "totp_step" BIGINT NOT NULL DEFAULT 0,
    "recovery" TEXT NOT NULL DEFAULT '',
    "state" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "signed_in_at" BIGINT
);
CREATE UNIQUE INDEX "portal_account_address" ON "portal_account" ("address");

CREATE TABLE "portal_membership" (
    "account_key" BIGINT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "role" TEXT NOT NULL,
    PRIMARY KEY ("account_key", "customer_key")
);
CREATE INDEX "portal_membership_customer_key" ON "portal_membership" ("customer_key");

CREATE TABLE "portal_session" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "digest" TEXT NOT NULL,
    "account_key" BIGINT NOT NULL,
    "stage" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "used_at" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "client" TEXT NOT NULL DEFAULT '',
    "agent" TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX "portal_session_digest" ON "portal_session" ("digest");
CREATE INDEX "portal_session_account_key" ON "portal_session" ("account_key");
CREATE INDEX "portal_session_expires_at" ON "portal_session" ("expires_at");

CREATE TABLE "portal_link" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "account_key" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "made_by" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "used_at" BIGINT
);
CREATE INDEX "portal_link_account_key" ON "portal_link" ("account_key");

CREATE TABLE "portal_rule" (
    "customer_key" BIGINT NOT NULL PRIMARY KEY,
    "totp_required" BOOLEAN NOT NULL DEFAULT FALSE,
    "oidc_client" TEXT NOT NULL DEFAULT '',
    "oidc_secret" TEXT NOT NULL DEFAULT '',
    "oidc_role" TEXT NOT NULL DEFAULT ''
);

CREATE INDEX "conversation_newest" ON "conversation" ("customer_key", "used_at", "key");
