-- What rules of countries did to messages, each sum of it once.

CREATE TABLE "ruling" (
    "digest" TEXT NOT NULL PRIMARY KEY,
    "country" TEXT NOT NULL,
    "findings" TEXT NOT NULL,
    "made_at" BIGINT NOT NULL
);
ALTER TABLE "message" ADD COLUMN "ruling" TEXT NOT NULL DEFAULT '';

-- How many messages of a customer's day each rule of a country did something to; notes do nothing.
CREATE TABLE "ruling_sum" (
    "customer_key" BIGINT NOT NULL,
    "day" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "rule" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "messages" INTEGER NOT NULL,
    PRIMARY KEY ("customer_key", "day", "country", "rule", "effect")
);
