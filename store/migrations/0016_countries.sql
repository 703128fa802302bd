-- What rules of countries did to messages, each sum of it once.

CREATE TABLE "ruling" (
    "digest" TEXT NOT NULL PRIMARY KEY,
    "country" TEXT NOT NULL,
    "findings" TEXT NOT NULL,
    "made_at" BIGINT NOT NULL
);
ALTER TABLE "message" ADD COLUMN "ruling" TEXT NOT NULL DEFAULT '';
