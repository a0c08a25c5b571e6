-- What a page of the order list asks beside its own statement (filters.sql).

-- name: matching
-- Names that have a text, and orders that have it, but not in their customer's name only. $4 is the part of the text
-- that the index of these is asked for.
SELECT ARRAY(SELECT customer_names_matching($1, $2)) AS names, ARRAY(SELECT orders_matching($4, $1, $3)) AS ids,
       false AS frequent, true AS shown_over;

-- name: orders_of_names
SELECT id FROM orders
WHERE marketplace_id = $1 AND customer_name_lc = ANY ($2) AND octet_length(customer_name_lc) <= 400 LIMIT $3;

-- name: plan_by_values
-- For the lists of this transaction: a plan that fits every status fits no rare one.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: in_order
-- For walks: the planner, which cannot know how many orders it will find, would sometimes read a list whole and sort it.
SET LOCAL enable_sort = off;

-- name: in_any_order
SET LOCAL enable_sort = on;
