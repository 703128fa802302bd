-- TLS of mail: what a sender asks for (RFC 8689), sessions counted for our reports, and reports of others (RFC 8460).

ALTER TABLE "job" ADD COLUMN "tls_tag" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tls_rule" ADD COLUMN "require_tls" BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE "tls_session" (
    "day" INTEGER NOT NULL,
    "domain" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "told" TEXT NOT NULL,
    "sessions" BIGINT NOT NULL,
    PRIMARY KEY ("day", "domain", "digest")
);

CREATE TABLE "tls_report" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "domain" TEXT NOT NULL,
    "submitter" TEXT NOT NULL,
    "report_id" TEXT NOT NULL,
    "contact" TEXT NOT NULL,
    "begins_at" BIGINT NOT NULL,
    "ends_at" BIGINT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "source" TEXT NOT NULL,
    "signed_by" TEXT NOT NULL,
    "good" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "details" TEXT NOT NULL
);
CREATE UNIQUE INDEX "tls_report_once" ON "tls_report" ("domain", "submitter", "report_id");
CREATE INDEX "tls_report_received_at" ON "tls_report" ("received_at");
