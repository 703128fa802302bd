-- Care of customers: who is suspended and why.

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
