-- What a page of the order list asks beside its own statement (filters.sql).

-- name: orders_matching
SELECT orders_matching($1, $2, $3) AS id;

-- name: plan_by_values
-- For the lists of this transaction: a plan that fits every status fits no rare one.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: first_placed
SELECT min(placed_at) FROM orders WHERE marketplace_id = $1;

-- name: last_placed
SELECT max(placed_at) FROM orders WHERE marketplace_id = $1;

-- name: spacing
-- From when to when the marketplace's orders were placed, and the $2-th from the end: how many there are about.
SELECT min(placed_at) AS first, max(placed_at) AS last,
       (SELECT o.placed_at FROM orders AS o WHERE o.marketplace_id = $1
        ORDER BY o.placed_at DESC, o.id DESC OFFSET $2 LIMIT 1) AS late
FROM orders WHERE marketplace_id = $1;

-- name: statuses
-- Every (phase, status) that an order of the marketplace has, by one look at the index for each.
WITH RECURSIVE known (phase, status) AS (
    (SELECT phase, status FROM orders WHERE marketplace_id = $1 ORDER BY phase, status LIMIT 1)
    UNION ALL
    SELECT n.phase, n.status FROM known AS k, LATERAL (
        SELECT o.phase, o.status FROM orders AS o
        WHERE o.marketplace_id = $1 AND (o.phase, o.status) > (k.phase, k.status)
        ORDER BY o.phase, o.status LIMIT 1) AS n
)
SELECT DISTINCT status FROM known WHERE $2::text[] = '{}' OR phase = ANY ($2) ORDER BY status;
