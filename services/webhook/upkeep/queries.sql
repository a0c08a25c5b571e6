-- Replays.

-- name: insert_replay
INSERT INTO replay (replay_id, marketplace_id, endpoint_id, scope, event_types, order_id, received_from, received_to,
                    then_resume, status, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', $10, $11);

-- name: count_running
-- Of all endpoints of an organisation.
SELECT count(*) FROM replay AS r JOIN endpoint AS e USING (endpoint_id)
WHERE r.status = 'running' AND e.organisation_id = $1;

-- name: replay
SELECT r.* FROM replay AS r JOIN endpoint AS e USING (endpoint_id)
WHERE r.replay_id = $1 AND ($2::uuid IS NULL OR e.organisation_id = $2) AND e.status <> 'deleted';

-- name: list_replays
SELECT r.* FROM replay AS r JOIN endpoint AS e USING (endpoint_id)
WHERE ($1::uuid IS NULL OR e.organisation_id = $1) AND ($2::uuid IS NULL OR r.endpoint_id = $2)
  AND ($3::uuid IS NULL OR r.replay_id < $3) AND e.status <> 'deleted'
ORDER BY r.replay_id DESC LIMIT $4;

-- name: cancel_replay
UPDATE replay SET status = 'canceled', finished_at = $2 WHERE replay_id = $1 AND status = 'running';

-- name: next_replay
SELECT r.replay_id, r.endpoint_id, r.marketplace_id, r.scope, r.event_types, r.order_id, r.received_from, r.received_to,
       r.then_resume, r.after_tx::text AS after_tx, r.after_ordinal, e.status
FROM replay AS r JOIN endpoint AS e USING (endpoint_id)
WHERE r.status = 'running'
  AND (SELECT count(*) FROM (SELECT FROM pending AS p WHERE p.endpoint_id = r.endpoint_id LIMIT $1) AS c) < $1
  AND r.replay_id <> ALL ($3::uuid[])
-- in turns: whose id follows the last one's, and then from the first again
ORDER BY r.replay_id <= $2, r.replay_id LIMIT 1 FOR NO KEY UPDATE OF r SKIP LOCKED;

-- name: replay_page
-- The next messages of a replay; `wanted` are those that pass the endpoint's filters and, for `missing`, never arrived: what
-- the receiver has taken, or has refused for good, did.
SELECT m.event_id, m.received_at AS message_at, m.type, m.stream_id, m.sequence, m.order_id, m.tx::text AS tx, m.ordinal, v.eyes,
       v.eyes <> 0
       AND p.event_types && ARRAY['*', m.type, split_part(m.type, '.', 1) || '.*']
       AND ($7::text[] IS NULL OR $7 && ARRAY['*', m.type, split_part(m.type, '.', 1) || '.*'])
       AND ($8::uuid IS NULL OR m.order_id = $8)
       AND (p.channels IS NULL OR m.channel IS NULL OR m.channel = ANY (p.channels))
       AND (p.sellers IS NULL OR m.seller_organisation_id IS NULL OR m.seller_organisation_id = ANY (p.sellers))
       AND (p.actions IS NULL OR m.action IS NULL OR m.action = ANY (p.actions))
       AND (p.phases IS NULL OR m.phase IS NULL OR m.phase = ANY (p.phases))
       AND ($9 = 'all' OR NOT EXISTS (
           SELECT FROM delivery AS d
           WHERE d.order_id = m.order_id AND d.endpoint_id = p.endpoint_id AND d.event_id = m.event_id
             AND d.state IN ('delivered', 'aborted') AND d.created_at >= m.received_at)) AS wanted
FROM endpoint AS p
JOIN message AS m ON m.marketplace_id = p.marketplace_id
CROSS JOIN LATERAL (SELECT m.audience & (CASE WHEN p.organisation_id = m.buyer_organisation_id THEN 1 ELSE 0 END
                                         | CASE WHEN p.organisation_id = m.seller_organisation_id THEN 2 ELSE 0 END
                                         | CASE WHEN p.is_operator THEN 4 ELSE 0 END) AS eyes) AS v
WHERE p.endpoint_id = $1 AND m.marketplace_id = $2 AND m.received_at >= $3 AND m.received_at < $4
  AND (m.tx, m.ordinal) > ($5::text::xid8, $6)
  -- a number that no transaction has had yet came with a restored dump
  AND (m.tx < pg_snapshot_xmin(pg_current_snapshot()) OR m.tx >= pg_snapshot_xmax(pg_current_snapshot()))
ORDER BY m.tx, m.ordinal LIMIT $10;

-- name: replay_has_more
SELECT EXISTS (SELECT FROM message AS m WHERE m.marketplace_id = $1 AND m.received_at >= $2 AND m.received_at < $3
               AND (m.tx, m.ordinal) > ($4::text::xid8, $5));

-- name: replay_advanced
UPDATE replay SET after_tx = $2::text::xid8, after_ordinal = $3, examined = examined + $4, queued = queued + $5
WHERE replay_id = $1;

-- name: replay_done
UPDATE replay SET status = 'done', finished_at = $2 WHERE replay_id = $1;

-- name: resume_endpoint
UPDATE endpoint SET status = 'active', version = version + 1, updated_at = $2
WHERE endpoint_id = $1 AND status = 'paused';

-- name: queue_again
-- Queues events for an endpoint once more; those that wait there already for their next attempt are tried now. Later ones
-- of an ordered lane that are not on their way are put behind. Follows lock of the streams in its transaction.
WITH wanted AS (
    SELECT * FROM unnest($3::uuid[], $4::timestamptz[], $5::text[], $6::uuid[], $7::bigint[], $8::uuid[], $9::smallint[])
        AS w(event_id, message_at, type, stream_id, sequence, order_id, eyes)
), fresh AS (
    SELECT w.*, e.endpoint_id, e.ordered, e.marketplace_id,
           row_number() OVER (PARTITION BY w.stream_id ORDER BY w.sequence) AS place,
           min(w.sequence) OVER (PARTITION BY w.stream_id) AS first
    FROM wanted AS w JOIN endpoint AS e ON e.endpoint_id = $1
    WHERE NOT EXISTS (SELECT FROM pending AS q WHERE q.endpoint_id = $1 AND q.stream_id = w.stream_id
                      AND q.sequence = w.sequence AND q.event_id = w.event_id)
), behind AS (
    UPDATE pending AS p SET next_attempt_at = 'infinity'
    FROM (SELECT DISTINCT stream_id, first FROM fresh WHERE ordered) AS f
    CROSS JOIN LATERAL (
        SELECT q.ctid AS place FROM pending AS q
        WHERE q.stream_id = f.stream_id AND q.endpoint_id = $1 AND q.sequence > f.first AND q.ordered
          AND q.next_attempt_at <> 'infinity' AND NOT (q.leased AND q.next_attempt_at > $10)
        ORDER BY q.sequence FOR UPDATE) AS b
    WHERE p.ctid = b.place
), sooner AS (
    UPDATE pending AS p SET next_attempt_at = $10
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT q.ctid AS place FROM pending AS q
        WHERE q.stream_id = w.stream_id AND q.endpoint_id = $1 AND q.sequence = w.sequence AND q.event_id = w.event_id
          AND q.next_attempt_at > $10 AND q.next_attempt_at <> 'infinity' AND NOT q.leased
          AND NOT (q.ordered AND EXISTS (SELECT FROM fresh AS f WHERE f.ordered AND f.stream_id = q.stream_id
                                         AND f.sequence < q.sequence))
        FOR UPDATE) AS s
    WHERE p.ctid = s.place
    RETURNING p.delivery_id
), queued AS (
    INSERT INTO pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                         order_id, eyes, ordered, origin, next_attempt_at, created_at)
    SELECT endpoint_id, uuid_at($10), marketplace_id, event_id, message_at, type, stream_id, sequence, order_id, eyes,
           ordered, $2,
           CASE WHEN NOT ordered THEN $10
                WHEN place > 1 OR (SELECT q.sequence FROM pending AS q
                                   WHERE q.stream_id = fresh.stream_id AND q.endpoint_id = $1 AND q.ordered
                                   ORDER BY q.sequence LIMIT 1) < fresh.sequence THEN 'infinity'
                ELSE $10 END, $10
    FROM fresh
    RETURNING delivery_id
), woken AS (
    UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, $10))
    WHERE d.endpoint_id = $1 AND EXISTS (SELECT FROM endpoint AS e WHERE e.endpoint_id = $1 AND e.status = 'active')
)
SELECT delivery_id FROM queued UNION ALL SELECT delivery_id FROM sooner;

-- name: hold_streams
-- Locks streams before rows are put into their lanes.
SELECT stream_id FROM stream WHERE stream_id = ANY ($1::uuid[]) ORDER BY stream_id FOR NO KEY UPDATE;

-- Upkeep.

-- name: next_shelving
SELECT d.endpoint_id, e.status FROM drain AS d JOIN endpoint AS e USING (endpoint_id)
WHERE d.shelve LIMIT 1 FOR NO KEY UPDATE OF d SKIP LOCKED;

-- name: shelve
-- Moves waiting deliveries to the log, ends of lanes first; what is just being sent is left to settle.
WITH batch AS (
    SELECT ctid AS place FROM pending
    WHERE endpoint_id = $1 AND NOT (leased AND next_attempt_at > $2)
    ORDER BY next_attempt_at DESC LIMIT $3 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM pending AS p USING batch AS b WHERE p.ctid = b.place RETURNING p.*
)
INSERT INTO delivery (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                      order_id, eyes, origin, state, attempts, deferrals, tries, last_status, last_error, created_at,
                      finished_at)
SELECT endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence, order_id, eyes, origin,
       $4, attempts, deferrals, tries, last_status, coalesce(last_error, $5), created_at, $2
FROM gone;

-- name: shelved
-- Done where nothing waits any more.
UPDATE drain SET shelve = false
WHERE endpoint_id = $1 AND NOT EXISTS (SELECT FROM pending AS p WHERE p.endpoint_id = $1);

-- name: forget_pending
-- What has waited for longer than anything is kept goes, oldest first; the streams are returned.
WITH old AS (
    SELECT p.place FROM drain AS d CROSS JOIN LATERAL (
        SELECT q.ctid AS place FROM pending AS q
        WHERE q.endpoint_id = d.endpoint_id AND q.delivery_id < $1
        ORDER BY q.delivery_id LIMIT $2 FOR UPDATE SKIP LOCKED) AS p
    LIMIT $2
)
DELETE FROM pending AS p USING old AS o WHERE p.ctid = o.place
RETURNING p.stream_id;

-- name: forget_streams
DELETE FROM stream WHERE stream_id IN (
    SELECT s.stream_id FROM stream AS s
    WHERE s.updated_at < $1 AND NOT EXISTS (SELECT FROM pending AS p WHERE p.stream_id = s.stream_id
                                            AND p.next_attempt_at = 'infinity')
    LIMIT $2 FOR UPDATE SKIP LOCKED);

-- name: forget_hours
DELETE FROM endpoint_hour WHERE hour < $1;

-- name: wake_forgotten
-- Endpoints that have something due and are not awake: lets nothing wait for a word that was lost.
UPDATE drain AS d SET due_at = $1
FROM (SELECT d2.endpoint_id FROM drain AS d2 JOIN endpoint AS e USING (endpoint_id)
      WHERE d2.due_at > $1 AND d2.gate_until <= $1 AND e.status = 'active' AND e.handshake <> 'required'
        AND (SELECT min(p.next_attempt_at) FROM pending AS p WHERE p.endpoint_id = d2.endpoint_id) <= $1
        AND (e.rate_limit IS NULL OR d2.paid_until <= $1)
      ORDER BY d2.endpoint_id FOR NO KEY UPDATE OF d2 SKIP LOCKED) AS f
WHERE d.endpoint_id = f.endpoint_id
RETURNING d.endpoint_id;

-- name: make_partitions
SELECT make_partitions($1, $2);

-- name: drop_partitions
SELECT drop_partitions($1);

-- name: stale_secrets
SELECT secret_id, marketplace_id, key_id, box FROM secret WHERE key_id <> $1 LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: reseal_secret
UPDATE secret SET key_id = $2, box = $3 WHERE secret_id = $1;

-- name: stale_headers
SELECT endpoint_id, marketplace_id, headers_key_id, headers_box FROM endpoint
WHERE headers_key_id <> $1 LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: reseal_headers
UPDATE endpoint SET headers_key_id = $2, headers_box = $3 WHERE endpoint_id = $1;

-- name: handshakes_due
-- Those that are to be asked, but for these endpoints with these settings: they are being asked, or were not long ago.
SELECT e.endpoint_id FROM endpoint AS e
WHERE e.handshake = 'required' AND e.status = 'active'
  AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::int[]) AS w(endpoint_id, version)
                  WHERE w.endpoint_id = e.endpoint_id AND w.version = e.version)
ORDER BY e.updated_at LIMIT $1;

-- name: handshake_done
-- The receiver agreed, perhaps to a rate only ($3, per second).
UPDATE endpoint SET handshake = 'granted', handshake_error = NULL, version = version + 1, updated_at = $2,
    rate_limit = least(rate_limit, $3::real)
WHERE endpoint_id = $1 AND handshake = 'required' AND version = $4;

-- name: handshake_failed
UPDATE endpoint SET handshake_error = $2 WHERE endpoint_id = $1 AND handshake = 'required';

-- name: wake_if_active
UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, $2))
FROM endpoint AS e WHERE d.endpoint_id = $1 AND e.endpoint_id = d.endpoint_id AND e.status = 'active';

-- name: delete_expired_secrets
DELETE FROM secret WHERE expires_at < $1;
