-- Tables that are written beside the portal, since they are long, and are taken from there until they expire.

CREATE TABLE "download" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "account" TEXT NOT NULL,
    "language" TEXT NOT NULL,
    "zone" TEXT NOT NULL,
    "direction" TEXT NOT NULL,
    "form" TEXT NOT NULL,
    "wanted" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "asked_at" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "node" INTEGER NOT NULL DEFAULT -1,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "touched_at" BIGINT NOT NULL DEFAULT 0,
    "about" BIGINT NOT NULL DEFAULT 0,
    "lines" BIGINT NOT NULL DEFAULT 0,
    "octets" BIGINT NOT NULL DEFAULT 0,
    "problem" TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX "download_public_id" ON "download" ("public_id");
CREATE INDEX "download_customer_key" ON "download" ("customer_key");
CREATE INDEX "download_state" ON "download" ("state");
CREATE INDEX "download_expires_at" ON "download" ("expires_at");
