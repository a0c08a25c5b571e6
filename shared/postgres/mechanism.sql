-- The tables that every service has. Applied to each schema by its owner before the service's own migrations.
-- Versions of this text are only ever added at the end, each as a block that runs once (see migrate.py).

-- block: 0001
CREATE FUNCTION current_marketplace() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.marketplace', true), '')::uuid;

-- Puts a table under row-level security: the tenant-bound role sees the rows of its marketplace, the worker
-- role all rows of this schema, everybody else (the owner too) none. grants: 'full' or 'append_only'.
CREATE FUNCTION protect(table_name regclass, grants text DEFAULT 'full') RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    app text := replace(current_user, '_owner', '');
    worker text := app || '_worker';
    verbs text := CASE grants WHEN 'full' THEN 'SELECT, INSERT, UPDATE, DELETE'
                              WHEN 'append_only' THEN 'SELECT, INSERT' END;
BEGIN
    IF verbs IS NULL THEN
        RAISE EXCEPTION 'protect(%): grants must be full or append_only, not %', table_name, grants;
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format('CREATE POLICY tenant ON %s TO %I USING (marketplace_id = nullif(current_setting(''app.marketplace'', true), '''')::uuid)',
                   table_name, app);
    EXECUTE format('CREATE POLICY worker ON %s TO %I USING (true) WITH CHECK (true)', table_name, worker);
    EXECUTE format('GRANT %s ON %s TO %I, %I', verbs, table_name, app, worker);
END $$;

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    headers bytea NOT NULL,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
SELECT protect('outbox');

CREATE TABLE inbox (
    event_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
SELECT protect('inbox');

-- Events whose handler fails, and the later ones of their key on their topic behind them, in order of `position`.
-- Not of other topics: those may overtake each other anyway, and what a parked event waits for may be one of them.
CREATE TABLE parked (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    marketplace_id uuid NOT NULL,
    key text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    error text NOT NULL DEFAULT '',
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX parked_key ON parked (topic, key, position);
SELECT protect('parked');

-- Records that were given up. marketplace_id is the nil UUID where the bytes could not be read.
CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    event_id uuid,
    marketplace_id uuid NOT NULL,
    key text,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    headers text NOT NULL,
    value bytea,
    attempts int NOT NULL DEFAULT 0,
    reason text NOT NULL,
    dead_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, partition, "offset")
);
CREATE INDEX dead_letter_dead_at ON dead_letter (dead_at);
SELECT protect('dead_letter');

CREATE TABLE idempotency (
    marketplace_id uuid NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    route text NOT NULL,
    body_hash bytea NOT NULL,
    status int NOT NULL,
    response bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (marketplace_id, caller, key)
);
CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);
SELECT protect('idempotency');

-- block: 0002
-- Takes a batch of different events into the inbox: all of them, or none and false, where any of them is known already
-- or anything is parked that they might have to wait behind. Two that take the same event at once: one fails.
CREATE FUNCTION claim_all_events(ids uuid[], marketplaces uuid[]) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM parked) OR EXISTS (SELECT FROM inbox WHERE event_id = ANY (ids)) THEN
        RETURN false;
    END IF;
    INSERT INTO inbox (event_id, marketplace_id) SELECT * FROM unnest(ids, marketplaces);
    RETURN true;
END $$;
