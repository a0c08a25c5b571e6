-- What a page of the order list asks beside its own statement (filters.sql).

-- name: matching
-- Names that have a text, and orders that have it, but not in their customer's name only.
SELECT ARRAY(SELECT customer_names_matching($1, $2)) AS names, ARRAY(SELECT orders_matching($1, $1, $3)) AS ids,
       false AS frequent, true AS shown_over;

-- name: matching_names
-- The same, but no orders where no name has it, or where as many of the first orders of those names have it elsewhere.
WITH n AS MATERIALIZED (SELECT ARRAY(SELECT customer_names_matching($2, $3)) AS names), o AS MATERIALIZED (
    SELECT count(*) > 0 AS some,
           count(*) FILTER (WHERE strpos(beside_name(h.search, h.customer_name_lc), $2) > 0) >= $6 AS frequent
    FROM (SELECT c.search, c.customer_name_lc FROM orders AS c
          WHERE c.marketplace_id = $1 AND c.customer_name_lc = ANY ((SELECT names FROM n)::text[])
            AND octet_length(c.customer_name_lc) <= 400 LIMIT $5) AS h
)
SELECT n.names, ARRAY(SELECT orders_matching($2, $2, $4) WHERE o.some AND NOT o.frequent) AS ids, o.frequent,
       EXISTS (SELECT FROM orders AS s WHERE s.marketplace_id = $1 AND s.over = ANY ($7)) AS shown_over
FROM n, o;

-- name: orders_of_names
SELECT id FROM orders
WHERE marketplace_id = $1 AND customer_name_lc = ANY ($2) AND octet_length(customer_name_lc) <= 400 LIMIT $3;

-- name: plan_by_values
-- For the lists of this transaction: a plan that fits every status fits no rare one.
SET LOCAL plan_cache_mode = force_custom_plan;
