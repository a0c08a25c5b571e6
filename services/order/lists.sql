-- What a page of the order list asks beside its own statement (filters.sql).

-- name: matching
-- Names that have a text, and orders that have it, but not in their customer's name only: unless as many of the given
-- orders as are named last have it elsewhere than in the name.
WITH o AS MATERIALIZED (
    SELECT count(*) >= $6 AS frequent FROM orders WHERE id = ANY ($5) AND strpos(' ' || customer_name_lc, $2) = 0
)
SELECT ARRAY(SELECT customer_names_matching($2, $3) WHERE NOT o.frequent) AS names,
       ARRAY(SELECT orders_matching($1, $2, $4) WHERE NOT o.frequent) AS ids, o.frequent
FROM o;

-- name: orders_of_names
SELECT id FROM orders
WHERE marketplace_id = $1 AND customer_name_lc = ANY ($2) AND octet_length(customer_name_lc) <= 400 LIMIT $3;

-- name: plan_by_values
-- For the lists of this transaction: a plan that fits every status fits no rare one.
SET LOCAL plan_cache_mode = force_custom_plan;
