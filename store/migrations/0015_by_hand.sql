-- What people write in the portal and have not sent or kept yet, and the earlier versions of customers' templates.

CREATE TABLE "portal_draft" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "account" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "job_id" TEXT NOT NULL DEFAULT '',
    "expires_at" BIGINT NOT NULL
);
CREATE INDEX "portal_draft_expires_at" ON "portal_draft" ("expires_at");
CREATE TABLE "template_version" (
    "customer_key" BIGINT NOT NULL,
    "profile_key" BIGINT NOT NULL,
    "form" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "source" TEXT NOT NULL,
    "push_form" TEXT NOT NULL DEFAULT '',
    "set_at" BIGINT NOT NULL,
    "set_by" TEXT NOT NULL,
    PRIMARY KEY ("customer_key", "profile_key", "form", "number")
);
