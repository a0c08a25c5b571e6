-- The idempotency table that every schema has (shared/postgres/mechanism.sql).

-- name: recall
-- Lock and look-up in one round trip. The snapshot is older than the lock, so a row that another request commits
-- in between is not seen: that request's primary key then refuses ours.
SELECT pg_try_advisory_xact_lock($1) AS free, i.route, i.body_hash, i.status, i.response, i.headers
FROM (VALUES (1)) AS one
LEFT JOIN idempotency AS i ON i.marketplace_id = $2 AND i.caller = $3 AND i.key = $4;

-- name: keep
INSERT INTO idempotency (marketplace_id, caller, key, route, body_hash, status, response, headers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
