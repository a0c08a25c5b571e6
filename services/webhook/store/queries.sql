-- Intake: what comes from the topics, and where it goes.

-- name: take_in
-- The endpoints that have something to send at once.
SELECT take_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS endpoint_id;

-- name: take_in_at_once
-- The same and the inbox, in a transaction that does not wait for the disk; no row where nothing was done.
SELECT * FROM take_in_at_once($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                              $18, $19, $20, $21, $22);

-- name: free_lanes
-- The endpoints of the lanes of these streams whose head may go now.
SELECT free_lanes($1, $2) AS endpoint_id;

-- name: expire_gaps
-- Streams whose missing event has been waited for long enough go on after the gap.
WITH late AS (
    SELECT stream_id, seen_through, beyond FROM stream
    WHERE gap_since <= $1 ORDER BY gap_since LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
), moved AS (
    SELECT stream_id, beyond, seen_after((SELECT min(x) FROM unnest(beyond) AS x), beyond) AS seen FROM late
)
UPDATE stream AS s
SET seen_through = m.seen,
    beyond = ARRAY(SELECT x FROM unnest(m.beyond) AS x WHERE x > m.seen),
    gap_since = CASE WHEN EXISTS (SELECT FROM unnest(m.beyond) AS x WHERE x > m.seen) THEN $3::timestamptz END
FROM moved AS m WHERE s.stream_id = m.stream_id
RETURNING s.stream_id;
