-- What carriers say beside a state, and what is theirs of a text: network and price, own parameters, national
-- languages. How links are, and which options of a mail did nothing.

ALTER TABLE "part" ADD COLUMN "network" TEXT NOT NULL DEFAULT '';
ALTER TABLE "part" ADD COLUMN "price" TEXT NOT NULL DEFAULT '';
ALTER TABLE "receipt" ADD COLUMN "network" TEXT NOT NULL DEFAULT '';
ALTER TABLE "receipt" ADD COLUMN "price" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "parameters" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "locking_shift" SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE "message" ADD COLUMN "single_shift" SMALLINT NOT NULL DEFAULT 0;
CREATE TABLE "carrier_link" ("carrier" TEXT NOT NULL, "link" TEXT NOT NULL, "owner" TEXT NOT NULL, "host" TEXT NOT NULL, "is_up" BOOLEAN NOT NULL, "trouble" TEXT NOT NULL, "since_at" BIGINT NOT NULL, PRIMARY KEY ("carrier", "link"));
ALTER TABLE "job" ADD COLUMN "ignored_options" TEXT NOT NULL DEFAULT '';
