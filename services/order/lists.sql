-- What a page of the order list asks beside its own statement (filters.sql).

-- name: matching
-- Names that have a text, and orders that have it, but not in their customer's name only.
SELECT ARRAY(SELECT customer_names_matching($2, $3)) AS names, ARRAY(SELECT orders_matching($1, $2, $4)) AS ids;

-- name: without_name
-- How many of these orders have the text elsewhere than in their customer's name.
SELECT count(*) FROM orders WHERE id = ANY ($1) AND strpos(' ' || customer_name_lc, $2) = 0;

-- name: orders_of_names
SELECT id FROM orders
WHERE marketplace_id = $1 AND customer_name_lc = ANY ($2) AND octet_length(customer_name_lc) <= 400 LIMIT $3;

-- name: plan_by_values
-- For the lists of this transaction: a plan that fits every status fits no rare one.
SET LOCAL plan_cache_mode = force_custom_plan;

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
