-- Endpoints, their keys, the queue of what is to be sent, and the log of what was.
--
-- The queue (pending) is small and hot: a row lives there from intake until its delivery is over, then moves to the
-- log in the statement that settles it. What lasts (message, delivery, attempt) is partitioned by day, only ever
-- inserted into, and leaves by dropping partitions.

-- A UUIDv7 of a given moment: rows sort by it, and a partition can be found from it.
CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send(floor(extract(epoch FROM moment) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid;

-- The moment of a UUIDv7, to the millisecond.
CREATE FUNCTION moment_of(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(('x' || lpad(translate(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint / 1000.0);

CREATE TABLE endpoint (
    endpoint_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    -- the organisation runs the marketplace: its endpoints see all of it
    is_operator boolean NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    event_types text[] NOT NULL,
    -- filters; NULL lets everything through
    channels text[],
    sellers uuid[],
    actions text[],
    phases text[],
    -- a sealed JSON object: header values are often credentials
    headers_key_id text,
    headers_box bytea,
    header_names text[] NOT NULL DEFAULT '{}',
    format text NOT NULL CHECK (format IN ('standard', 'cloudevents_binary', 'cloudevents_structured')),
    signature text NOT NULL CHECK (signature IN ('hmac', 'ed25519', 'both')),
    http_signature boolean NOT NULL,
    ordered boolean NOT NULL,
    -- seconds to wait after each failed attempt
    retry_schedule int[] NOT NULL,
    timeout_ms int NOT NULL,
    max_in_flight int NOT NULL,
    -- deliveries per second; NULL: no limit
    rate_limit real,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'disabled', 'deleted')),
    disabled_reason text,
    disabled_detail text,
    -- CloudEvents' abuse protection: nothing is sent until the receiver has agreed
    handshake text NOT NULL CHECK (handshake IN ('none', 'required', 'granted')),
    handshake_error text,
    version int NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX endpoint_by_marketplace ON endpoint (marketplace_id, organisation_id, endpoint_id);
SELECT protect('endpoint');

-- An endpoint's standing with its queue: apart from its settings, because this changes all the time.
CREATE TABLE drain (
    endpoint_id uuid PRIMARY KEY REFERENCES endpoint,
    marketplace_id uuid NOT NULL,
    -- no later than the first moment at which something may be claimed; infinity: nothing waits
    due_at timestamptz NOT NULL DEFAULT 'infinity',
    -- nothing is claimed before (throttled, or the breaker is open)
    gate_until timestamptz NOT NULL DEFAULT '-infinity',
    -- the breaker: failures since the last success, and probes since it opened
    failures int NOT NULL DEFAULT 0,
    probes int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    warned_at timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_error text,
    -- rate limit: the moment up to which deliveries have been paid for
    paid_until timestamptz NOT NULL DEFAULT '-infinity',
    -- rows still waiting when the endpoint was disabled or deleted go to the log, some thousand at a time
    shelve boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX drain_due ON drain (due_at) WHERE due_at < 'infinity';
CREATE INDEX drain_shelve ON drain (endpoint_id) WHERE shelve;
CREATE INDEX drain_failing ON drain (failing_since) WHERE failing_since IS NOT NULL;
SELECT protect('drain');

CREATE TABLE secret (
    secret_id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES endpoint,
    marketplace_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('hmac', 'ed25519')),
    key_id text NOT NULL,
    box bytea NOT NULL,
    public_key text,
    created_at timestamptz NOT NULL,
    -- NULL: current; else it signs beside the newer ones until then
    expires_at timestamptz
);
CREATE INDEX secret_by_endpoint ON secret (endpoint_id);
CREATE INDEX secret_by_key ON secret (key_id);
SELECT protect('secret');

-- Each event once, whole; what of it leaves the house is decided when it is read (audience).
CREATE TABLE message (
    event_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    type text NOT NULL,
    version smallint NOT NULL,
    -- what keeps its order: an order's events, a thread's messages
    stream_id uuid NOT NULL,
    sequence bigint NOT NULL,
    order_id uuid,
    occurred_at timestamptz NOT NULL,
    -- bits: buyer 1, seller 2, operator 4; 0 for test events, which are nobody's history
    audience smallint NOT NULL,
    buyer_organisation_id uuid,
    seller_organisation_id uuid,
    channel text,
    action text,
    phase text,
    traceparent text NOT NULL,
    data bytea NOT NULL,
    -- readers page by (tx, ordinal) and stop before the oldest transaction still open: none that commits late is missed
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ordinal int NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX message_feed ON message (marketplace_id, tx, ordinal);
CREATE INDEX message_seller ON message (marketplace_id, seller_organisation_id, tx, ordinal);
CREATE INDEX message_buyer ON message (marketplace_id, buyer_organisation_id, tx, ordinal);
SELECT protect('message', 'append_only');

-- How far each stream has been seen without a gap; its row's lock also guards the order of its deliveries.
CREATE TABLE stream (
    stream_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    seen_through bigint NOT NULL,
    -- sequences seen beyond the gap
    beyond bigint[] NOT NULL DEFAULT '{}',
    gap_since timestamptz,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX stream_gap ON stream (gap_since) WHERE gap_since IS NOT NULL;
CREATE INDEX stream_updated ON stream USING brin (updated_at);
SELECT protect('stream');

-- The queue. next_attempt_at is due time and lease in one: a claim moves it to the end of the lease. It is infinity
-- for an ordered row that is not at the head of its lane (endpoint, stream), or stands behind a gap.
CREATE TABLE pending (
    endpoint_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    event_id uuid NOT NULL,
    message_at timestamptz NOT NULL,
    type text NOT NULL,
    stream_id uuid NOT NULL,
    sequence bigint NOT NULL,
    order_id uuid,
    -- the sides on which the organisation stands: what it may see of the event
    eyes smallint NOT NULL,
    ordered boolean NOT NULL,
    origin text NOT NULL CHECK (origin IN ('event', 'test', 'replay', 'retry')),
    next_attempt_at timestamptz NOT NULL,
    -- claimed: next_attempt_at is the end of the lease, and until then somebody is at it
    leased boolean NOT NULL DEFAULT false,
    -- counts claims: a settlement of an older one changes nothing
    claim int NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 0,
    deferrals int NOT NULL DEFAULT 0,
    tries int NOT NULL DEFAULT 0,
    last_status smallint,
    last_error text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, delivery_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX pending_due ON pending (endpoint_id, next_attempt_at);
CREATE INDEX pending_lane ON pending (endpoint_id, stream_id, sequence);
CREATE INDEX pending_stream ON pending (stream_id) WHERE next_attempt_at = 'infinity';
SELECT protect('pending');

-- Deliveries that are over.
CREATE TABLE delivery (
    endpoint_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    event_id uuid NOT NULL,
    message_at timestamptz NOT NULL,
    type text NOT NULL,
    stream_id uuid NOT NULL,
    sequence bigint NOT NULL,
    order_id uuid,
    eyes smallint NOT NULL,
    origin text NOT NULL,
    state text NOT NULL CHECK (state IN ('delivered', 'exhausted', 'aborted', 'held', 'discarded')),
    attempts int NOT NULL,
    deferrals int NOT NULL,
    tries int NOT NULL,
    last_status smallint,
    last_error text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, delivery_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX delivery_undelivered ON delivery (endpoint_id, delivery_id) WHERE state <> 'delivered';
CREATE INDEX delivery_by_order ON delivery (order_id, endpoint_id);
SELECT protect('delivery', 'append_only');

CREATE TABLE attempt (
    delivery_id uuid NOT NULL,
    number int NOT NULL,
    marketplace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms int NOT NULL,
    connect_ms int NOT NULL,
    status smallint,
    outcome text NOT NULL,
    error text,
    response_headers text,
    response_body bytea,
    response_truncated boolean NOT NULL,
    PRIMARY KEY (delivery_id, number, started_at)
) PARTITION BY RANGE (started_at);
SELECT protect('attempt', 'append_only');

-- Attempts per endpoint and hour. latency counts attempts by duration: bucket n is below 2^n ms, the last the rest.
CREATE TABLE endpoint_hour (
    endpoint_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    marketplace_id uuid NOT NULL,
    succeeded int NOT NULL,
    failed int NOT NULL,
    total_ms bigint NOT NULL,
    latency int[] NOT NULL,
    PRIMARY KEY (endpoint_id, hour)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
SELECT protect('endpoint_hour');

CREATE TABLE replay (
    replay_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL REFERENCES endpoint,
    scope text NOT NULL CHECK (scope IN ('all', 'missing')),
    event_types text[],
    order_id uuid,
    -- by when the event was received here
    received_from timestamptz NOT NULL,
    received_to timestamptz NOT NULL,
    -- the endpoint was enabled with it: it goes on once everything is queued, so that order is kept
    then_resume boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'done', 'canceled')),
    -- the next page begins after this
    after_tx xid8 NOT NULL DEFAULT '0',
    after_ordinal int NOT NULL DEFAULT -1,
    examined bigint NOT NULL DEFAULT 0,
    queued bigint NOT NULL DEFAULT 0,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX replay_running ON replay (created_at) WHERE status = 'running';
CREATE INDEX replay_by_endpoint ON replay (endpoint_id, replay_id);
SELECT protect('replay');

-- Networks that a marketplace's endpoints may reach although the policy denies them (its own installation's ERP).
CREATE TABLE allowed_network (
    marketplace_id uuid NOT NULL,
    network cidr NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (marketplace_id, network)
);
SELECT protect('allowed_network');

-- Daily partitions are made ahead and dropped by the worker, whose role owns nothing: through these two.
CREATE FUNCTION make_partitions(first date, last date) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    parent text;
    day date;
    made int := 0;
BEGIN
    IF last - first > 400 THEN
        RAISE EXCEPTION 'make_partitions(%, %): at most 400 days at a time', first, last;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('webhook.partitions'));
    FOREACH parent IN ARRAY ARRAY['message', 'delivery', 'attempt'] LOOP
        FOR day IN SELECT first + n FROM generate_series(0, last - first) AS n LOOP
            IF to_regclass(format('%I', parent || to_char(day, '_YYYYMMDD'))) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               parent || to_char(day, '_YYYYMMDD'), parent,
                               day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

CREATE FUNCTION drop_partitions(before date) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    part record;
    dropped text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('webhook.partitions'));
    -- a lock that cannot be had at once is tried again next time; traffic never waits for housekeeping
    SET LOCAL lock_timeout = '500ms';
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('message'::regclass, 'delivery'::regclass, 'attempt'::regclass)
          AND right(c.relname, 8) < to_char(before, 'YYYYMMDD')
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', part.relname);
        dropped := dropped || part.relname::text;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION make_partitions(date, date), drop_partitions(date) FROM PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION make_partitions(date, date), drop_partitions(date) TO %I',
                   replace(current_user, '_owner', '_worker'));
END $$;
SELECT make_partitions(((now() AT TIME ZONE 'UTC')::date - 1), ((now() AT TIME ZONE 'UTC')::date + 14));

-- The highest sequence up to which nothing is missing, given what was seen through and what was seen beyond.
CREATE FUNCTION seen_after(seen bigint, beyond bigint[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(max(r.x), seen)
            FROM (SELECT u.x, row_number() OVER (ORDER BY u.x) AS n
                  FROM (SELECT DISTINCT b.x FROM unnest(beyond) AS b(x) WHERE b.x > seen) AS u) AS r
            WHERE r.x = seen + r.n);
