-- The queue as the deliver worker works it: find, claim, settle, rest.
--
-- The queue is empty one minute and holds a million rows the next, and plans are kept: none may depend on how many
-- there are. So each row is found by the one index that has the order asked for (sorting is off for these
-- connections), and changed by its place (ctid); a row that was changed meanwhile is not at its place any more.

-- name: due_drains
-- Endpoints with something to do. Those already in hand ($3) are left out.
SELECT endpoint_id FROM drain
WHERE due_at <= $1 AND endpoint_id <> ALL ($3::uuid[])
ORDER BY due_at LIMIT $2;

-- name: claim
SELECT * FROM claim_due($1, $2, $3, $4, $5, $6);

-- name: give_back_lost
-- What an intake of the moment $3 claimed of these streams for these endpoints: nobody else has claimed it since.
UPDATE pending AS p SET next_attempt_at = $4, leased = false
FROM (SELECT i.ctid AS place FROM unnest($1::uuid[]) AS w(stream_id)
      JOIN pending AS i ON i.stream_id = w.stream_id
      WHERE i.endpoint_id = ANY ($2::uuid[]) AND i.message_at = $3 AND i.leased AND i.claim = 1) AS k
WHERE p.ctid = k.place
RETURNING p.endpoint_id;

-- name: messages
SELECT m.event_id, m.type, m.version, m.sequence, m.order_id, m.stream_id, m.occurred_at, m.traceparent, m.data
FROM unnest($1::uuid[], $2::timestamptz[]) AS w(event_id, received_at)
JOIN message AS m ON m.event_id = w.event_id AND m.received_at = w.received_at;

-- name: endpoints
SELECT e.endpoint_id, e.marketplace_id, e.version, e.url, e.headers_key_id, e.headers_box, e.format, e.signature,
       e.http_signature, e.retry_schedule, e.timeout_ms, e.max_in_flight, e.rate_limit,
       ARRAY(SELECT a.network::text FROM allowed_network AS a WHERE a.marketplace_id = e.marketplace_id) AS networks
FROM endpoint AS e WHERE e.endpoint_id = ANY ($1::uuid[]);

-- name: live_secrets
SELECT endpoint_id, secret_id, kind, key_id, box, expires_at FROM secret
WHERE endpoint_id = ANY ($1::uuid[]) AND (expires_at IS NULL OR expires_at > $2)
ORDER BY endpoint_id, created_at DESC, secret_id DESC;

-- name: lock_streams
-- Those of $1 that could be locked, or do not exist. Busy ones are left for the next round: a settlement never waits
-- for an intake.
WITH locked AS (
    SELECT stream_id FROM stream WHERE stream_id = ANY ($1::uuid[]) ORDER BY stream_id FOR NO KEY UPDATE SKIP LOCKED
)
SELECT stream_id FROM locked
UNION ALL
SELECT u.stream_id FROM unnest($1::uuid[]) AS u(stream_id)
WHERE NOT EXISTS (SELECT FROM stream AS s WHERE s.stream_id = u.stream_id);

-- name: settle
-- Moves what is over to the log, dates what is to be tried again, logs the attempts, and lets the next of each lane go.
-- A result whose claim has been taken over since changes nothing but the log of attempts.
WITH result AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::int[], $7::int[],
                         $8::bool[], $9::smallint[], $10::text[])
        AS r(endpoint_id, delivery_id, claim, state, next_attempt_at, attempts, deferrals, tried, status, error)
), found AS MATERIALIZED (
    SELECT r.*, p.place FROM result AS r CROSS JOIN LATERAL (
        SELECT q.ctid AS place, q.delivery_id, q.claim FROM pending AS q
        WHERE q.endpoint_id = r.endpoint_id AND q.delivery_id >= r.delivery_id
        ORDER BY q.delivery_id LIMIT 1) AS p
    WHERE p.delivery_id = r.delivery_id AND p.claim = r.claim
), gone AS (
    DELETE FROM pending AS p USING found AS r
    WHERE r.state <> 'pending' AND p.ctid = r.place
    RETURNING p.endpoint_id, p.delivery_id, p.marketplace_id, p.event_id, p.message_at, p.type, p.stream_id, p.sequence,
              p.order_id, p.eyes, p.ordered, p.origin, p.created_at, p.tries, p.last_status, p.last_error,
              r.state, r.attempts, r.deferrals, r.tried, r.status, r.error
), logged AS (
    INSERT INTO delivery (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                          order_id, eyes, origin, state, attempts, deferrals, tries, last_status, last_error,
                          created_at, finished_at)
    SELECT endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
           order_id, eyes, origin, state, attempts, deferrals, tries + tried::int,
           status, error, created_at, $11
    FROM gone
), again AS (
    UPDATE pending AS p
    SET next_attempt_at = r.next_attempt_at, leased = false, attempts = r.attempts, deferrals = r.deferrals,
        tries = p.tries + r.tried::int,
        last_status = CASE WHEN r.tried THEN r.status ELSE p.last_status END,
        last_error = CASE WHEN r.tried THEN r.error ELSE p.last_error END
    FROM found AS r
    WHERE r.state = 'pending' AND p.ctid = r.place
), logged_attempts AS (
    INSERT INTO attempt (delivery_id, number, marketplace_id, endpoint_id, started_at, duration_ms, connect_ms, status,
                         outcome, error, response_headers, response_body, response_truncated)
    SELECT * FROM unnest($12::uuid[], $13::int[], $14::uuid[], $15::uuid[], $16::timestamptz[], $17::int[], $18::int[],
                         $19::smallint[], $20::text[], $21::text[], $22::text[], $23::bytea[], $24::bool[])
), lane AS (
    SELECT endpoint_id, stream_id, array_agg(delivery_id) AS over FROM gone WHERE ordered GROUP BY 1, 2
), freed AS (
    UPDATE pending AS p SET next_attempt_at = $11
    FROM lane AS g
    CROSS JOIN LATERAL (
        SELECT q.ctid AS place, q.sequence, q.next_attempt_at FROM pending AS q
        WHERE q.stream_id = g.stream_id AND q.endpoint_id = g.endpoint_id AND q.ordered AND q.delivery_id <> ALL (g.over)
        ORDER BY q.sequence LIMIT 1) AS h
    JOIN stream AS s ON s.stream_id = g.stream_id
    WHERE p.ctid = h.place AND h.next_attempt_at = 'infinity' AND h.sequence <= s.seen_through
    RETURNING p.endpoint_id
)
SELECT DISTINCT endpoint_id FROM freed;

-- name: note_health
-- After a batch of attempts: the breaker's count, the gate, and since when nothing but failure came.
WITH news AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[], $5::text[])
        AS n(endpoint_id, succeeded, failed, throttle_until, error)
), locked AS (
    SELECT news.* FROM news JOIN drain AS d USING (endpoint_id) ORDER BY d.endpoint_id FOR NO KEY UPDATE OF d
)
UPDATE drain AS d SET
    failures = CASE WHEN n.succeeded > 0 THEN 0 ELSE d.failures + n.failed END,
    probes = CASE WHEN n.succeeded > 0 OR d.failures < $7 THEN 0 ELSE d.probes + 1 END,
    failing_since = CASE WHEN n.succeeded > 0 THEN NULL WHEN n.failed > 0 THEN coalesce(d.failing_since, $6)
                         ELSE d.failing_since END,
    warned_at = CASE WHEN n.succeeded > 0 THEN NULL ELSE d.warned_at END,
    last_success_at = CASE WHEN n.succeeded > 0 THEN $6 ELSE d.last_success_at END,
    last_failure_at = CASE WHEN n.failed > 0 THEN $6 ELSE d.last_failure_at END,
    last_error = CASE WHEN n.failed > 0 THEN n.error ELSE d.last_error END,
    gate_until = greatest(CASE WHEN n.succeeded > 0 THEN '-infinity' ELSE d.gate_until END,
                          coalesce(n.throttle_until, '-infinity'))
FROM locked AS n
WHERE d.endpoint_id = n.endpoint_id
RETURNING d.endpoint_id, d.failures, d.probes;

-- name: open_breakers
UPDATE drain AS d SET gate_until = greatest(d.gate_until, o.until)
FROM (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS u(endpoint_id, until) ORDER BY 1) AS o
WHERE d.endpoint_id = o.endpoint_id;

-- name: lock_drains
SELECT endpoint_id FROM drain WHERE endpoint_id = ANY ($1::uuid[]) ORDER BY endpoint_id FOR NO KEY UPDATE SKIP LOCKED;

-- name: rest
-- Nothing is to be claimed at the moment: notes when there will be. Follows lock_drains in its transaction.
UPDATE drain AS d SET due_at = greatest(
    coalesce((SELECT min(p.next_attempt_at) FROM pending AS p WHERE p.endpoint_id = d.endpoint_id), 'infinity'),
    d.gate_until,
    (SELECT CASE WHEN e.status <> 'active' OR e.handshake = 'required' THEN 'infinity'
                 WHEN e.rate_limit IS NOT NULL
                 THEN d.paid_until + make_interval(secs => (1 / e.rate_limit - greatest(1, 1 / e.rate_limit))::float8)
                 ELSE '-infinity' END
     FROM endpoint AS e WHERE e.endpoint_id = d.endpoint_id))
WHERE d.endpoint_id = ANY ($1::uuid[])
RETURNING d.endpoint_id, extract(epoch FROM least(d.due_at, $2::timestamptz + interval '1 hour') - $2)::float8 AS seconds;

-- name: add_hours
INSERT INTO endpoint_hour AS h (endpoint_id, hour, marketplace_id, succeeded, failed, total_ms, latency)
SELECT endpoint_id, hour, marketplace_id, succeeded, failed, total_ms, latency::int[]
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[], $5::int[], $6::bigint[], $7::text[])
    AS u(endpoint_id, hour, marketplace_id, succeeded, failed, total_ms, latency)
ORDER BY endpoint_id, hour
ON CONFLICT (endpoint_id, hour) DO UPDATE SET
    succeeded = h.succeeded + excluded.succeeded,
    failed = h.failed + excluded.failed,
    total_ms = h.total_ms + excluded.total_ms,
    latency = ARRAY(SELECT a + b FROM unnest(h.latency, excluded.latency) AS t(a, b));
