-- name: insert_outbox
INSERT INTO outbox (event_id, marketplace_id, topic, key, headers, value)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bytea[]);

-- name: next_rows
-- Forgets what the broker acknowledged ($1) and reads on, leaving out what is under way ($2). Not "seq > last":
-- a transaction that commits late has a lower number than ones already sent.
WITH sent AS (DELETE FROM outbox WHERE seq = ANY($1::bigint[]))
SELECT seq, topic, key, headers, value FROM outbox
WHERE seq <> ALL($2::bigint[])
ORDER BY seq LIMIT $3;

-- name: try_relay_lock
SELECT pg_try_advisory_lock(hashtext('ordertrail relay'), hashtext(current_schema()));

-- name: outbox_state
SELECT count(*) AS size, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age
FROM (SELECT created_at FROM outbox ORDER BY seq LIMIT 100000) AS waiting;
