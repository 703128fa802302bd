-- The first tables. From now on this file stays as it is: what comes later is a migration of its own.
-- The types are PostgreSQL's; SQLite's stand beside them in store.engine.opening.

CREATE TABLE "meta" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

CREATE TABLE "job" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "customer" TEXT NOT NULL,
    "profile" TEXT NOT NULL,
    "user_address" TEXT NOT NULL,
    "service" TEXT NOT NULL,
    "reference" TEXT NOT NULL,
    "accepted_at" BIGINT NOT NULL,
    "settled_at" BIGINT,
    "open_messages" INTEGER NOT NULL,
    "report" TEXT NOT NULL,
    "settings" TEXT NOT NULL,
    "origins" TEXT NOT NULL,
    "from_mail" BOOLEAN NOT NULL,
    "reverse_path" TEXT NOT NULL,
    "header_from" TEXT NOT NULL,
    "mail_id" TEXT NOT NULL,
    "mail_references" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "envid" TEXT NOT NULL,
    "ret" TEXT NOT NULL,
    "helo" TEXT NOT NULL,
    "header" BYTEA NOT NULL,
    "body" BYTEA,
    "corrected" BOOLEAN NOT NULL,
    "channel" TEXT NOT NULL,
    "push_url" TEXT NOT NULL
);
CREATE UNIQUE INDEX "job_public_id" ON "job" ("public_id");
CREATE INDEX "job_accepted" ON "job" ("accepted_at", "key", "mail_id");

CREATE TABLE "message" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "job_key" BIGINT NOT NULL,
    "seq" INTEGER NOT NULL,
    "public_id" TEXT NOT NULL,
    "given" TEXT NOT NULL,
    "number" TEXT NOT NULL,
    "notify" TEXT NOT NULL,
    "orcpt" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "cut" TEXT NOT NULL,
    "replaced" TEXT NOT NULL,
    "alphabet" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "problem" TEXT NOT NULL,
    "from_network" BOOLEAN NOT NULL,
    "priority" SMALLINT NOT NULL,
    "route" TEXT NOT NULL,
    "held" BOOLEAN NOT NULL,
    "flash" BOOLEAN NOT NULL,
    "receipt_wanted" BOOLEAN NOT NULL,
    "part_count" SMALLINT NOT NULL,
    "part_lengths" TEXT NOT NULL,
    "reference" INTEGER NOT NULL,
    "wide_reference" BOOLEAN NOT NULL,
    "attempts" INTEGER NOT NULL,
    "due_at" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "watch_at" BIGINT NOT NULL,
    "ended" BOOLEAN NOT NULL,
    "owner" TEXT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "blackouts" TEXT,
    "throttled" INTEGER NOT NULL,
    "id_missing" BOOLEAN NOT NULL
);
CREATE INDEX "message_job_key" ON "message" ("job_key");
CREATE UNIQUE INDEX "message_public_id" ON "message" ("public_id");
CREATE INDEX "message_queued" ON "message" ("route", "priority", "due_at", "key") WHERE ("state" = 'queued');
CREATE INDEX "message_submitting" ON "message" ("owner") WHERE ("state" = 'submitting');
CREATE INDEX "message_watched" ON "message" ("watch_at") WHERE NOT ended;
CREATE INDEX "message_id_missing" ON "message" ("number", "updated_at") WHERE id_missing;

CREATE TABLE "part" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "message_key" BIGINT NOT NULL,
    "idx" SMALLINT NOT NULL,
    "state" TEXT NOT NULL,
    "carrier" TEXT NOT NULL,
    "carrier_id" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "submitted_at" BIGINT,
    "reported_at" BIGINT,
    "cost_label" TEXT NOT NULL,
    "resends" SMALLINT NOT NULL
);
CREATE INDEX "part_message_key" ON "part" ("message_key");
CREATE INDEX "part_carrier_id" ON "part" ("carrier_id") WHERE ("carrier_id" != '');

CREATE TABLE "receipt" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "carrier" TEXT NOT NULL,
    "carrier_id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "number" TEXT NOT NULL,
    "done_at" BIGINT,
    "received_at" BIGINT NOT NULL,
    "part_key" BIGINT,
    "word" TEXT NOT NULL
);
CREATE INDEX "receipt_part" ON "receipt" ("part_key") WHERE ("part_key" IS NOT NULL);
CREATE INDEX "receipt_orphan" ON "receipt" ("carrier_id", "carrier") WHERE ("part_key" IS NULL);
CREATE INDEX "receipt_orphan_number" ON "receipt" ("number", "carrier") WHERE ("part_key" IS NULL);

CREATE TABLE "concatenation" (
    "number" TEXT NOT NULL PRIMARY KEY,
    "reference" INTEGER NOT NULL,
    "until" BIGINT NOT NULL
);
CREATE INDEX "concatenation_until" ON "concatenation" ("until");

CREATE TABLE "seen" (
    "digest" BYTEA NOT NULL PRIMARY KEY,
    "job_key" BIGINT NOT NULL,
    "until" BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "seen_until" ON "seen" ("until");

CREATE TABLE "outbox" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "public_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "destination" TEXT NOT NULL,
    "recipient" TEXT NOT NULL,
    "job_key" BIGINT,
    "topic" TEXT NOT NULL,
    "about" TEXT NOT NULL,
    "content" BYTEA,
    "state" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "due_at" BIGINT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "ended_at" BIGINT,
    "reason" TEXT NOT NULL,
    "problem" TEXT NOT NULL
);
CREATE UNIQUE INDEX "outbox_public_id" ON "outbox" ("public_id");
CREATE INDEX "outbox_job_key" ON "outbox" ("job_key");
CREATE INDEX "outbox_queued" ON "outbox" ("channel", "due_at", "key") WHERE ("state" = 'queued');
CREATE INDEX "outbox_destination" ON "outbox" ("channel", "destination", "due_at", "key") WHERE ("state" = 'queued');
CREATE INDEX "outbox_sending" ON "outbox" ("owner") WHERE ("state" = 'sending');
CREATE INDEX "outbox_topic" ON "outbox" ("topic", "created_at") WHERE ("topic" != '');
CREATE INDEX "outbox_of_no_job" ON "outbox" ("ended_at", "kind", "key") WHERE ("job_key" IS NULL);

CREATE TABLE "outbox_attempt" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "outbox_key" BIGINT NOT NULL,
    "at" BIGINT NOT NULL,
    "outcome" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "tls" TEXT NOT NULL,
    "policy" TEXT NOT NULL,
    "reply" TEXT NOT NULL
);
CREATE INDEX "outbox_attempt_outbox_key" ON "outbox_attempt" ("outbox_key");

CREATE TABLE "inbound_fragment" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "carrier" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "destination" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "reference" INTEGER,
    "idx" SMALLINT NOT NULL,
    "total" SMALLINT NOT NULL,
    "received_at" BIGINT NOT NULL
);
CREATE INDEX "inbound_fragment_received_at" ON "inbound_fragment" ("received_at");

CREATE TABLE "node_lease" (
    "owner" TEXT NOT NULL PRIMARY KEY,
    "node" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "ended" BOOLEAN NOT NULL
);

CREATE TABLE "carrier_lease" (
    "carrier" TEXT NOT NULL PRIMARY KEY,
    "owner" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL
);

CREATE TABLE "writer_mark" (
    "writer" TEXT NOT NULL PRIMARY KEY,
    "number" BIGINT NOT NULL,
    "written_at" BIGINT NOT NULL
);

CREATE TABLE "cancel_request" (
    "message_key" BIGINT NOT NULL PRIMARY KEY,
    "asked_at" BIGINT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "due_at" BIGINT NOT NULL
);

CREATE TABLE "dropped_mail" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer" TEXT NOT NULL,
    "reverse_path" TEXT NOT NULL,
    "header_from" TEXT NOT NULL,
    "mail_id" TEXT NOT NULL,
    "client" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "mark" TEXT NOT NULL,
    "dropped_at" BIGINT NOT NULL
);
CREATE INDEX "dropped_mail_at" ON "dropped_mail" ("dropped_at");

CREATE TABLE "customer" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "canonical" TEXT NOT NULL,
    "default_profile_key" BIGINT,
    "active" BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX "customer_canonical" ON "customer" ("canonical");

CREATE TABLE "customer_domain" (
    "domain" TEXT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL
);
CREATE INDEX "customer_domain_customer_key" ON "customer_domain" ("customer_key");

CREATE TABLE "profile" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "canonical" TEXT NOT NULL
);
CREATE UNIQUE INDEX "profile_customer_key_canonical" ON "profile" ("customer_key", "canonical");

CREATE TABLE "mail_user" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "profile_key" BIGINT,
    "address" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL,
    "source" TEXT NOT NULL
);
CREATE INDEX "mail_user_customer_key" ON "mail_user" ("customer_key");
CREATE INDEX "mail_user_profile_key" ON "mail_user" ("profile_key");
CREATE UNIQUE INDEX "mail_user_address" ON "mail_user" ("address");

CREATE TABLE "credential" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "login" TEXT NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "user_key" BIGINT,
    "kind" TEXT NOT NULL,
    "verifier" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX "credential_login" ON "credential" ("login");
CREATE INDEX "credential_customer_key" ON "credential" ("customer_key");
CREATE INDEX "credential_user_key" ON "credential" ("user_key");

CREATE TABLE "address_range" (
    "network" TEXT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL
);
CREATE INDEX "address_range_customer_key" ON "address_range" ("customer_key");

CREATE TABLE "setting" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "scope" TEXT NOT NULL,
    "owner_key" BIGINT NOT NULL,
    "service" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "set_at" BIGINT NOT NULL,
    "set_by" TEXT NOT NULL
);
CREATE UNIQUE INDEX "setting_owner_key_scope_service_field" ON "setting" ("owner_key", "scope", "service", "field");

CREATE TABLE "constraint_set" (
    "owner_key" BIGINT NOT NULL PRIMARY KEY,
    "locked" TEXT NOT NULL,
    "sender_ids" TEXT,
    "max_parts" INTEGER,
    "express" BOOLEAN NOT NULL,
    "flash" BOOLEAN NOT NULL,
    "countries" TEXT
);

CREATE TABLE "directory_change" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "version" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "target" BIGINT NOT NULL,
    "name" TEXT NOT NULL
);
CREATE INDEX "directory_change_version" ON "directory_change" ("version");

CREATE TABLE "audit" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "at" BIGINT NOT NULL,
    "who" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "detail" TEXT NOT NULL
);
CREATE INDEX "audit_at" ON "audit" ("at");
CREATE INDEX "audit_target" ON "audit" ("target");

CREATE TABLE "distribution_list" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "canonical" TEXT NOT NULL,
    "columns" TEXT NOT NULL
);
CREATE UNIQUE INDEX "distribution_list_customer_key_canonical" ON "distribution_list" ("customer_key", "canonical");

CREATE TABLE "list_member" (
    "list_key" BIGINT NOT NULL,
    "number" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "content" TEXT NOT NULL,
    PRIMARY KEY ("list_key", "number")
);

CREATE TABLE "list_author" (
    "list_key" BIGINT NOT NULL,
    "author" TEXT NOT NULL,
    PRIMARY KEY ("list_key", "author")
);

CREATE TABLE "tls_rule" (
    "customer" TEXT NOT NULL,
    "domain" TEXT NOT NULL,
    "level" TEXT NOT NULL,
    "names" TEXT NOT NULL,
    "pins" TEXT NOT NULL,
    "authorities" TEXT NOT NULL,
    "minimum_version" TEXT NOT NULL,
    "set_at" BIGINT NOT NULL,
    "set_by" TEXT NOT NULL,
    PRIMARY KEY ("customer", "domain")
);

CREATE TABLE "sts_policy" (
    "domain" TEXT NOT NULL PRIMARY KEY,
    "policy_id" TEXT NOT NULL,
    "mode" TEXT NOT NULL,
    "mx" TEXT NOT NULL,
    "max_age" BIGINT NOT NULL,
    "fetched_at" BIGINT NOT NULL
);

CREATE TABLE "mail_template" (
    "customer_key" BIGINT NOT NULL,
    "profile_key" BIGINT NOT NULL,
    "form" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "set_at" BIGINT NOT NULL,
    "set_by" TEXT NOT NULL,
    PRIMARY KEY ("customer_key", "profile_key", "form")
);

CREATE TABLE "mail_graphic" (
    "customer_key" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "content" BYTEA NOT NULL,
    "set_at" BIGINT NOT NULL,
    "set_by" TEXT NOT NULL,
    PRIMARY KEY ("customer_key", "name")
);

CREATE TABLE "push_key" (
    "customer_key" BIGINT NOT NULL PRIMARY KEY,
    "secret" TEXT NOT NULL,
    "made_at" BIGINT NOT NULL,
    "made_by" TEXT NOT NULL
);

