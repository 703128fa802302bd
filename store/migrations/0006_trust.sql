-- Trust: what proved a sender, which service a login or an address range names, and where TLS is required.

ALTER TABLE "job" ADD COLUMN "proof" TEXT NOT NULL DEFAULT '';
ALTER TABLE "job" ADD COLUMN "evidence" TEXT NOT NULL DEFAULT '';
ALTER TABLE "job" ADD COLUMN "service_by" TEXT NOT NULL DEFAULT '';
ALTER TABLE "customer" ADD COLUMN "tls_required" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "customer" ADD COLUMN "proofs" TEXT;
ALTER TABLE "customer" ADD COLUMN "oidc_issuer" TEXT NOT NULL DEFAULT '';
ALTER TABLE "customer" ADD COLUMN "oidc_audience" TEXT NOT NULL DEFAULT '';
ALTER TABLE "customer" ADD COLUMN "oidc_claim" TEXT NOT NULL DEFAULT '';
ALTER TABLE "customer" ADD COLUMN "arc_sealers" TEXT NOT NULL DEFAULT '';
ALTER TABLE "credential" ADD COLUMN "scram" TEXT NOT NULL DEFAULT '';
ALTER TABLE "credential" ADD COLUMN "service" TEXT NOT NULL DEFAULT '';
ALTER TABLE "credential" ADD COLUMN "profile_key" BIGINT;
ALTER TABLE "address_range" ADD COLUMN "shared" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "address_range" ADD COLUMN "tls_required" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "address_range" ADD COLUMN "service" TEXT NOT NULL DEFAULT '';
ALTER TABLE "address_range" ADD COLUMN "profile_key" BIGINT;
ALTER TABLE "constraint_set" ADD COLUMN "number_types" TEXT;
ALTER TABLE "constraint_set" ADD COLUMN "usage" TEXT NOT NULL DEFAULT '';

CREATE TABLE "usage" (
    "counter" TEXT NOT NULL PRIMARY KEY,
    "begins_at" BIGINT NOT NULL,
    "amount" BIGINT NOT NULL
);
