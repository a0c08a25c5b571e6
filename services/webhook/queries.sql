-- Endpoints. $2 is the organisation whose endpoints are looked at, NULL for all of the marketplace.

-- name: one_endpoint_at_a_time
-- Until the transaction ends: those that are made at one moment would each count the others as not there yet.
SELECT pg_advisory_xact_lock(hashtextextended('endpoints ' || ($1::uuid)::text, 0));

-- name: count_endpoints
SELECT count(*) FROM endpoint WHERE organisation_id = $1 AND status <> 'deleted';

-- name: insert_endpoint
WITH made AS (
    INSERT INTO endpoint (endpoint_id, marketplace_id, organisation_id, is_operator, url, description, event_types,
                          channels, sellers, actions, phases, headers_key_id, headers_box, header_names, format,
                          signature, http_signature, ordered, retry_schedule, timeout_ms, max_in_flight, rate_limit,
                          status, handshake, created_by, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            'active', $23, $24, $25, $25)
    RETURNING endpoint_id, marketplace_id
)
INSERT INTO drain (endpoint_id, marketplace_id) SELECT endpoint_id, marketplace_id FROM made;

-- name: endpoint
SELECT e.*, d.gate_until, d.failures, d.failing_since, d.last_success_at, d.last_failure_at, d.last_error, d.shelve
FROM endpoint AS e JOIN drain AS d USING (endpoint_id)
WHERE e.endpoint_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2) AND e.status <> 'deleted';

-- name: lock_endpoint
SELECT e.*, d.gate_until, d.failures, d.failing_since, d.last_success_at, d.last_failure_at, d.last_error, d.shelve
FROM endpoint AS e JOIN drain AS d USING (endpoint_id)
WHERE e.endpoint_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2) AND e.status <> 'deleted'
FOR NO KEY UPDATE OF e;

-- name: list_endpoints
SELECT e.*, d.gate_until, d.failures, d.failing_since, d.last_success_at, d.last_failure_at, d.last_error, d.shelve
FROM endpoint AS e JOIN drain AS d USING (endpoint_id)
WHERE ($1::uuid IS NULL OR e.organisation_id = $1) AND ($2::uuid IS NULL OR e.endpoint_id < $2)
  AND e.status <> 'deleted'
ORDER BY e.endpoint_id DESC LIMIT $3;

-- name: update_endpoint
UPDATE endpoint SET url = $2, description = $3, event_types = $4, channels = $5, sellers = $6, actions = $7,
    phases = $8, headers_key_id = $9, headers_box = $10, header_names = $11, format = $12, signature = $13,
    http_signature = $14, ordered = $15, retry_schedule = $16, timeout_ms = $17, max_in_flight = $18,
    rate_limit = $19, handshake = $20, handshake_error = NULL, version = version + 1, updated_at = $21
WHERE endpoint_id = $1;

-- name: set_status
UPDATE endpoint SET status = $2, disabled_reason = $3, disabled_detail = $4, version = version + 1, updated_at = $5
WHERE endpoint_id = $1;

-- name: wake_drain
UPDATE drain SET due_at = $2 WHERE endpoint_id = $1;

-- name: send_sooner
-- What is to come later because the receiver asked for it, or waits in the shadow of the gate: now.
UPDATE pending AS p SET next_attempt_at = $2
FROM drain AS d
WHERE p.endpoint_id = $1 AND d.endpoint_id = $1 AND p.next_attempt_at > $2 AND p.next_attempt_at <> 'infinity'
  AND NOT p.leased AND (p.next_attempt_at <= d.gate_until OR p.deferrals > 0 AND p.last_status IN (429, 503));

-- name: open_gate
UPDATE drain SET due_at = $2, gate_until = '-infinity' WHERE endpoint_id = $1;

-- name: kept_since
-- Looks at so many as wait at most while a replay of older events is queued: only those are older than what follows.
SELECT min(h.message_at) FROM (
    SELECT d.message_at FROM delivery AS d
    WHERE d.endpoint_id = $1 AND d.state <> 'delivered' AND d.state = 'held'
    ORDER BY d.delivery_id LIMIT 50000) AS h;

-- name: enable_drain
-- A fresh start: the old failures are not held against it, and what was not set aside yet is sent.
UPDATE drain SET due_at = $2, gate_until = '-infinity', failures = 0, probes = 0, failing_since = NULL, warned_at = NULL,
    shelve = false
WHERE endpoint_id = $1;

-- name: shelve_drain
UPDATE drain SET shelve = true, due_at = 'infinity' WHERE endpoint_id = ANY ($1::uuid[]);

-- name: forget_headers
UPDATE endpoint SET headers_key_id = NULL, headers_box = NULL, header_names = '{}' WHERE endpoint_id = $1;

-- name: insert_secret
INSERT INTO secret (secret_id, endpoint_id, marketplace_id, kind, key_id, box, public_key, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: expire_secrets
-- The keys of this kind that are current until now sign beside the new one until $3, and are then forgotten.
UPDATE secret SET expires_at = least(coalesce(expires_at, $3), $3) WHERE endpoint_id = $1 AND kind = $2;

-- name: live_keys
SELECT secret_id, kind, public_key, created_at, expires_at FROM secret
WHERE endpoint_id = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at DESC, secret_id DESC;

-- name: delete_secrets
DELETE FROM secret WHERE endpoint_id = $1;

-- name: disable_endpoints
-- Those still active or paused among $1; rows still waiting go to the log in the background.
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w(endpoint_id, reason, detail)
), disabled AS (
    UPDATE endpoint AS e
    SET status = 'disabled', disabled_reason = w.reason, disabled_detail = w.detail, version = e.version + 1,
        updated_at = $4
    FROM wanted AS w WHERE e.endpoint_id = w.endpoint_id AND e.status IN ('active', 'paused')
    RETURNING e.endpoint_id, e.marketplace_id, e.organisation_id, e.url, w.reason, w.detail
), shelved AS (
    UPDATE drain AS d SET shelve = true, due_at = 'infinity' FROM disabled WHERE d.endpoint_id = disabled.endpoint_id
)
SELECT * FROM disabled;

-- name: failing_endpoints
-- Those that are to be warned (failing since before $1) or disabled (before $3). Who has been warned keeps nobody waiting.
SELECT d.endpoint_id, e.marketplace_id, e.organisation_id, e.url, d.failing_since, d.last_error,
       d.warned_at IS NOT NULL AS warned
FROM drain AS d JOIN endpoint AS e USING (endpoint_id)
WHERE d.failing_since <= $1 AND (d.warned_at IS NULL OR d.failing_since <= $3) AND e.status = 'active'
ORDER BY d.failing_since LIMIT $2 FOR NO KEY UPDATE OF d SKIP LOCKED;

-- name: note_warned
UPDATE drain SET warned_at = $2 WHERE endpoint_id = ANY ($1::uuid[]);

-- name: queue_sizes
-- Waiting deliveries per endpoint, counted up to 10,000.
SELECT u.endpoint_id, (SELECT count(*) FROM (SELECT FROM pending AS p WHERE p.endpoint_id = u.endpoint_id LIMIT 10000) AS c)
FROM unnest($1::uuid[]) AS u(endpoint_id);

-- name: allowed_networks
SELECT network::text, reason, created_by, created_at FROM allowed_network ORDER BY network;

-- name: allow_network
INSERT INTO allowed_network (marketplace_id, network, reason, created_by, created_at) VALUES ($1, $2::text::cidr, $3, $4, $5)
ON CONFLICT (marketplace_id, network) DO UPDATE SET reason = excluded.reason;

-- name: disallow_network
DELETE FROM allowed_network WHERE network = $1::text::cidr RETURNING network;

-- The log. What waits is sent next when it is due, but not before its endpoint's gate opens.

-- name: list_deliveries
-- One endpoint's deliveries, newest first; $3 a state or NULL, $4 a type or NULL.
SELECT * FROM (
    (SELECT p.delivery_id, p.endpoint_id, p.event_id, p.type, p.order_id, p.sequence, p.origin, 'pending' AS state,
            p.tries, p.last_status, p.last_error,
            (SELECT greatest(p.next_attempt_at, g.gate_until) FROM drain AS g WHERE g.endpoint_id = p.endpoint_id)
                AS next_attempt_at, p.created_at, NULL::timestamptz AS finished_at
     FROM pending AS p
     WHERE p.endpoint_id = $1 AND ($2::uuid IS NULL OR p.delivery_id < $2) AND ($3::text IS NULL OR $3 = 'pending')
       AND ($4::text IS NULL OR p.type = $4)
     ORDER BY p.delivery_id DESC LIMIT $5)
    UNION ALL
    (SELECT d.delivery_id, d.endpoint_id, d.event_id, d.type, d.order_id, d.sequence, d.origin, d.state,
            d.tries, d.last_status, d.last_error, NULL, d.created_at, d.finished_at
     FROM delivery AS d
     WHERE d.endpoint_id = $1 AND ($2::uuid IS NULL OR d.delivery_id < $2) AND ($3::text IS NULL OR d.state = $3)
       AND ($4::text IS NULL OR d.type = $4)
     ORDER BY d.delivery_id DESC LIMIT $5)
) AS both_of_them ORDER BY delivery_id DESC LIMIT $5;

-- name: list_troubled
-- The same for a state other than delivered: an index of its own finds the few among millions.
SELECT d.delivery_id, d.endpoint_id, d.event_id, d.type, d.order_id, d.sequence, d.origin, d.state,
       d.tries, d.last_status, d.last_error, NULL::timestamptz AS next_attempt_at, d.created_at, d.finished_at
FROM delivery AS d
WHERE d.endpoint_id = $1 AND ($2::uuid IS NULL OR d.delivery_id < $2) AND d.state <> 'delivered' AND d.state = $3
  AND ($4::text IS NULL OR d.type = $4)
ORDER BY d.delivery_id DESC LIMIT $5;

-- name: list_of_rare_type
-- The same for a type other than the two that most events have: an index of its own finds the few among millions.
SELECT * FROM (
    (SELECT p.delivery_id, p.endpoint_id, p.event_id, p.type, p.order_id, p.sequence, p.origin, 'pending' AS state,
            p.tries, p.last_status, p.last_error,
            (SELECT greatest(p.next_attempt_at, g.gate_until) FROM drain AS g WHERE g.endpoint_id = p.endpoint_id)
                AS next_attempt_at, p.created_at, NULL::timestamptz AS finished_at
     FROM pending AS p
     WHERE p.endpoint_id = $1 AND ($2::uuid IS NULL OR p.delivery_id < $2) AND ($3::text IS NULL OR $3 = 'pending')
       AND p.type = $4
     ORDER BY p.delivery_id DESC LIMIT $5)
    UNION ALL
    (SELECT d.delivery_id, d.endpoint_id, d.event_id, d.type, d.order_id, d.sequence, d.origin, d.state,
            d.tries, d.last_status, d.last_error, NULL, d.created_at, d.finished_at
     FROM delivery AS d
     WHERE d.endpoint_id = $1 AND ($2::uuid IS NULL OR d.delivery_id < $2) AND ($3::text IS NULL OR d.state = $3)
       AND d.type NOT IN ('order.created', 'order.updated') AND d.type = $4
     ORDER BY d.delivery_id DESC LIMIT $5)
) AS both_of_them ORDER BY delivery_id DESC LIMIT $5;

-- name: deliveries_of_order
-- An order's deliveries to the endpoints of organisation $2 (NULL: of all), oldest first; also to those deleted since.
SELECT * FROM (
    SELECT p.delivery_id, p.endpoint_id, p.event_id, p.type, p.order_id, p.sequence, p.origin, 'pending' AS state,
           p.tries, p.last_status, p.last_error,
           (SELECT greatest(p.next_attempt_at, g.gate_until) FROM drain AS g WHERE g.endpoint_id = p.endpoint_id)
               AS next_attempt_at, p.created_at, NULL::timestamptz AS finished_at
    FROM endpoint AS e JOIN pending AS p USING (endpoint_id)
    WHERE p.stream_id = ANY ($4::uuid[]) AND ($2::uuid IS NULL OR e.organisation_id = $2)
    UNION ALL
    -- what belongs to the order and has a lane of its own: the messages of its threads
    SELECT p.delivery_id, p.endpoint_id, p.event_id, p.type, p.order_id, p.sequence, p.origin, 'pending' AS state,
           p.tries, p.last_status, p.last_error,
           (SELECT greatest(p.next_attempt_at, g.gate_until) FROM drain AS g WHERE g.endpoint_id = p.endpoint_id)
               AS next_attempt_at, p.created_at, NULL::timestamptz AS finished_at
    FROM endpoint AS e JOIN pending AS p USING (endpoint_id)
    WHERE p.order_id = $1 AND p.stream_id <> p.order_id AND ($2::uuid IS NULL OR e.organisation_id = $2)
    UNION ALL
    SELECT d.delivery_id, d.endpoint_id, d.event_id, d.type, d.order_id, d.sequence, d.origin, d.state,
           d.tries, d.last_status, d.last_error, NULL, d.created_at, d.finished_at
    FROM endpoint AS e JOIN delivery AS d USING (endpoint_id)
    WHERE d.order_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2)
) AS all_of_them
WHERE ($5::timestamptz IS NULL OR (created_at, sequence, delivery_id) > ($5, $6::bigint, $7::uuid))
ORDER BY created_at, sequence, delivery_id LIMIT $3;

-- name: delivery
-- Also of an endpoint that was deleted since: what was sent stays in the log.
SELECT e.organisation_id, p.delivery_id, p.endpoint_id, p.marketplace_id, p.event_id, p.message_at, p.type, p.stream_id, p.order_id,
       p.sequence, p.eyes, p.origin, 'pending' AS state, p.tries, p.last_status, p.last_error,
       (SELECT greatest(p.next_attempt_at, g.gate_until) FROM drain AS g WHERE g.endpoint_id = p.endpoint_id)
           AS next_attempt_at,
       p.created_at, NULL::timestamptz AS finished_at
FROM endpoint AS e JOIN pending AS p USING (endpoint_id)
WHERE p.delivery_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2)
UNION ALL
SELECT e.organisation_id, d.delivery_id, d.endpoint_id, d.marketplace_id, d.event_id, d.message_at, d.type, d.stream_id, d.order_id,
       d.sequence, d.eyes, d.origin, d.state, d.tries, d.last_status, d.last_error, NULL, d.created_at, d.finished_at
FROM endpoint AS e JOIN delivery AS d USING (endpoint_id)
WHERE d.delivery_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2)
  AND d.created_at >= moment_of($1) - interval '1 ms' AND d.created_at < moment_of($1) + interval '2 ms'
LIMIT 1;

-- name: attempts
SELECT number, started_at, duration_ms, connect_ms, status, outcome, error, response_headers, response_body,
       response_truncated
FROM attempt WHERE delivery_id = $1 AND started_at >= $2 ORDER BY started_at, number LIMIT 200;

-- name: message
SELECT m.event_id, m.type, m.version, m.sequence, m.order_id, m.stream_id, m.occurred_at, m.traceparent, m.data,
       m.audience
FROM message AS m WHERE m.event_id = $1 AND m.received_at = $2;

-- name: stats
SELECT hour, succeeded, failed, total_ms, latency FROM endpoint_hour
WHERE endpoint_id = $1 AND hour >= $2 ORDER BY hour;

-- name: retry_now
-- Brings a waiting retry forward; one that is being sent, or waits behind another of its lane, stays as it is.
UPDATE pending SET next_attempt_at = $3
WHERE endpoint_id = $1 AND delivery_id = $2 AND next_attempt_at <> 'infinity' AND next_attempt_at > $3 AND NOT leased;

-- name: insert_test
-- An example event for one endpoint: nobody's history (audience 0), in no order, before all that waits: somebody looks.
WITH kept AS (
    INSERT INTO message (event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at, audience,
                         traceparent, data, ordinal, received_at)
    VALUES ($1, $2, $3, $4, $1, $5, NULL, $6, 0, '', $7, 0, $6)
), woken AS (
    UPDATE drain SET due_at = $6, gate_until = '-infinity' WHERE endpoint_id = $8
)
INSERT INTO pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence, eyes,
                     ordered, origin, next_attempt_at, created_at)
VALUES ($8, uuid_at($6), $2, $1, $6, $3, $1, $5, $9, false, 'test', 'epoch', $6)
RETURNING delivery_id;

-- name: feed
-- What organisation $2 may see ($3: it is the operator's), after ($4, $5), in the order in which it came. Stops before
-- the oldest transaction that is still open, so that none which commits late is passed by.
-- A dump that is restored keeps the numbers of transactions, and a new server begins to count anew: numbers that no
-- transaction has had yet are of before, and come first; a place among them is before everything that is new.
WITH edge AS MATERIALIZED (
    SELECT pg_snapshot_xmin(s) AS open, pg_snapshot_xmax(s) AS next, $4::text::xid8 AS tx, $5::int AS ordinal
    FROM pg_current_snapshot() AS s
), stretch AS (
    SELECT 0 AS era, CASE WHEN e.tx = '0' THEN e.next ELSE e.tx END AS tx,
           CASE WHEN e.tx = '0' THEN -1 ELSE e.ordinal END AS ordinal, '18446744073709551615'::xid8 AS before
    FROM edge AS e WHERE e.tx = '0' OR e.tx >= e.next
    UNION ALL
    SELECT 1, CASE WHEN e.tx >= e.next THEN '0' ELSE e.tx END, CASE WHEN e.tx >= e.next THEN -1 ELSE e.ordinal END, e.open
    FROM edge AS e
), seen AS (
    SELECT r.era, f.* FROM stretch AS r CROSS JOIN LATERAL (
        SELECT m.* FROM message AS m
        WHERE $3 AND m.marketplace_id = $1 AND (m.tx, m.ordinal) > (r.tx, r.ordinal) AND m.tx < r.before
          AND m.audience & 4 <> 0 AND ($6::text[] IS NULL OR m.type = ANY ($6))
        ORDER BY m.tx, m.ordinal LIMIT $7) AS f
    UNION ALL
    SELECT r.era, f.* FROM stretch AS r CROSS JOIN LATERAL (
        SELECT m.* FROM message AS m
        WHERE NOT $3 AND m.marketplace_id = $1 AND m.seller_organisation_id = $2
          AND (m.tx, m.ordinal) > (r.tx, r.ordinal) AND m.tx < r.before
          AND m.audience & 2 <> 0 AND ($6::text[] IS NULL OR m.type = ANY ($6))
        ORDER BY m.tx, m.ordinal LIMIT $7) AS f
    UNION ALL
    SELECT r.era, f.* FROM stretch AS r CROSS JOIN LATERAL (
        SELECT m.* FROM message AS m
        WHERE NOT $3 AND m.marketplace_id = $1 AND m.buyer_organisation_id = $2
          AND (m.tx, m.ordinal) > (r.tx, r.ordinal) AND m.tx < r.before
          AND m.audience & 1 <> 0 AND ($6::text[] IS NULL OR m.type = ANY ($6))
          AND (m.seller_organisation_id IS DISTINCT FROM $2 OR m.audience & 2 = 0)
        ORDER BY m.tx, m.ordinal LIMIT $7) AS f
)
SELECT event_id, type, occurred_at, received_at, data, tx::text AS tx, ordinal,
       audience & (CASE WHEN buyer_organisation_id = $2 THEN 1 ELSE 0 END
                   | CASE WHEN seller_organisation_id = $2 THEN 2 ELSE 0 END
                   | CASE WHEN $3 THEN 4 ELSE 0 END) AS eyes
FROM seen ORDER BY era, seen.tx, seen.ordinal LIMIT $7;
