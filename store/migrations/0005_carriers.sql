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
ALTER TABLE "message" ADD COLUMN "cause" TEXT NOT NULL DEFAULT '';
ALTER TABLE "message" ADD COLUMN "repeats" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "message" ADD COLUMN "tried" TEXT NOT NULL DEFAULT '';
CREATE TABLE "part_attempt" ("key" BIGINT NOT NULL PRIMARY KEY, "part_key" BIGINT NOT NULL, "carrier" TEXT NOT NULL, "carrier_id" TEXT NOT NULL, "state" TEXT NOT NULL, "error" TEXT NOT NULL, "cost_label" TEXT NOT NULL, "network" TEXT NOT NULL, "price" TEXT NOT NULL, "submitted_at" BIGINT, "ended_at" BIGINT NOT NULL);
CREATE INDEX "part_attempt_part_key" ON "part_attempt" ("part_key");
CREATE INDEX "part_attempt_carrier_id" ON "part_attempt" ("carrier_id") WHERE ("carrier_id" != '');
