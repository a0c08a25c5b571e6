-- name: claim_events
-- The events of a batch that are neither known nor waiting behind a parked one of their topic and key; and those
-- topics and keys.
WITH batch AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS b (event_id, marketplace_id, topic, key)
),
held AS (SELECT DISTINCT p.topic, p.key FROM parked AS p JOIN batch AS b ON b.topic = p.topic AND b.key = p.key),
fresh AS (
    INSERT INTO inbox (event_id, marketplace_id)
    SELECT b.event_id, b.marketplace_id FROM batch AS b
    WHERE NOT EXISTS (SELECT 1 FROM held AS h WHERE h.topic = b.topic AND h.key = b.key)
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
SELECT event_id, NULL AS topic, NULL AS key FROM fresh
UNION ALL
SELECT NULL, topic, key FROM held;

-- name: held_keys
SELECT DISTINCT p.topic, p.key FROM parked AS p
JOIN unnest($1::text[], $2::text[]) AS b (topic, key) ON b.topic = p.topic AND b.key = p.key;

-- name: claim_event
INSERT INTO inbox (event_id, marketplace_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true;

-- name: park
-- Not what has had its effect already: a redelivered event of a parked key may be in the inbox.
INSERT INTO parked (event_id, marketplace_id, key, topic, partition, "offset", headers, value,
                    next_attempt_at, error)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE event_id = $1)
ON CONFLICT (event_id) DO NOTHING;

-- name: parked_keys
SELECT count(DISTINCT (topic, key)) FROM parked;

-- name: due_heads
-- The first parked event of each topic and key, where its time has come.
SELECT position FROM (
    SELECT DISTINCT ON (topic, key) position, next_attempt_at FROM parked ORDER BY topic, key, position
) AS heads
WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2;

-- name: take_parked
SELECT position, event_id, marketplace_id, key, topic, partition, "offset", headers, value, attempts, parked_at
FROM parked WHERE position = $1 FOR UPDATE SKIP LOCKED;

-- name: delete_parked
DELETE FROM parked WHERE position = $1;

-- name: postpone_parked
UPDATE parked SET attempts = $2, next_attempt_at = $3, error = $4 WHERE position = $1;

-- name: bury
INSERT INTO dead_letter (id, event_id, marketplace_id, key, topic, partition, "offset", headers, value,
                         attempts, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (topic, partition, "offset") DO NOTHING;

-- name: list_dead
SELECT id, event_id, marketplace_id, key, topic, partition, "offset", attempts, reason, dead_at
FROM dead_letter WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2;

-- name: show_dead
SELECT id, event_id, marketplace_id, key, topic, partition, "offset", headers, value, attempts, reason, dead_at
FROM dead_letter WHERE id = $1;

-- name: take_dead
SELECT id, event_id, marketplace_id, key, topic, partition, "offset", headers, value, attempts, reason, dead_at
FROM dead_letter WHERE id = $1 FOR UPDATE;

-- name: delete_dead
DELETE FROM dead_letter WHERE id = $1;

-- name: waiting_counts
SELECT (SELECT count(*) FROM parked) AS parked, (SELECT count(*) FROM dead_letter) AS dead;

-- name: prune_inbox
DELETE FROM inbox WHERE ctid IN (SELECT ctid FROM inbox WHERE received_at < $1 LIMIT $2);

-- name: prune_idempotency
DELETE FROM idempotency WHERE ctid IN (SELECT ctid FROM idempotency WHERE created_at < $1 LIMIT $2);

-- name: reach_the_disk
-- A commit that is on the disk only behind all commits before it. Writes nothing but the log; any role may.
SELECT pg_logical_emit_message(true, 'ordertrail', '');
