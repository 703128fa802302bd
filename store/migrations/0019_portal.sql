-- What the operator's pages do: waiting messages that were given another route.

CREATE TABLE "message_reroute" (
    "key" BIGINT NOT NULL PRIMARY KEY,
    "message_key" BIGINT NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    "who" TEXT NOT NULL,
    "rerouted_at" BIGINT NOT NULL
);
CREATE INDEX "message_reroute_message_key" ON "message_reroute" ("message_key");
