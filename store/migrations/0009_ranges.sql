-- Address ranges: one that strangers share, as a cloud provider's is, may be of several customers.

CREATE TABLE "address_range_before" AS SELECT * FROM "address_range";
DROP TABLE "address_range";
CREATE TABLE "address_range" (
    "network" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "shared" BOOLEAN NOT NULL DEFAULT FALSE,
    "tls_required" BOOLEAN NOT NULL DEFAULT FALSE,
    "service" TEXT NOT NULL DEFAULT '',
    "profile_key" BIGINT,
    PRIMARY KEY ("network", "customer_key")
);
CREATE INDEX "address_range_customer_key" ON "address_range" ("customer_key");
INSERT INTO "address_range" ("network", "customer_key", "shared", "tls_required", "service", "profile_key")
    SELECT "network", "customer_key", "shared", "tls_required", "service", "profile_key" FROM "address_range_before";
DROP TABLE "address_range_before";
