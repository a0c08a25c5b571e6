-- Figures computed anew: after a change of zone, in a rebuild, in a comparison of generations.

-- name: changed_zones
SELECT marketplace_id, wanted_zone FROM marketplace WHERE zone <> wanted_zone ORDER BY marketplace_id LIMIT 100;

-- name: lock_marketplace
SELECT marketplace_id, zone, wanted_zone, generation, building FROM marketplace WHERE marketplace_id = $1 FOR UPDATE;

-- name: allow_long
-- For this transaction alone: computing a whole marketplace takes longer than a batch.
SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true),
       set_config('idle_in_transaction_session_timeout', $1, true);

-- name: set_zone
UPDATE marketplace SET zone = $2 WHERE marketplace_id = $1;

-- name: refuse_zone
-- A zone that the database does not know is forgotten: the old one stays.
UPDATE marketplace SET wanted_zone = zone WHERE marketplace_id = $1;

-- name: zone_exists
SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = $1);

-- name: move_fact_days
UPDATE order_fact SET placed_day = (placed_at AT TIME ZONE $2)::date, completed_day = (completed_at AT TIME ZONE $2)::date
WHERE marketplace_id = $1 AND ((placed_at AT TIME ZONE $2)::date <> placed_day
                               OR (completed_at AT TIME ZONE $2)::date IS DISTINCT FROM completed_day);

-- name: move_movement_days
UPDATE order_movement SET day = (occurred_at AT TIME ZONE $2)::date
WHERE marketplace_id = $1 AND (occurred_at AT TIME ZONE $2)::date <> day;

-- name: move_reply_days
UPDATE reply SET day = (replied_at AT TIME ZONE $2)::date
WHERE marketplace_id = $1 AND (replied_at AT TIME ZONE $2)::date <> day;

-- name: clear_status_day
DELETE FROM status_day WHERE marketplace_id = $1;

-- name: compute_status_day
INSERT INTO status_day SELECT * FROM status_day_computed WHERE marketplace_id = $1;

-- name: clear_channel_day
DELETE FROM channel_day WHERE marketplace_id = $1;

-- name: compute_channel_day
INSERT INTO channel_day SELECT * FROM channel_day_computed WHERE marketplace_id = $1;

-- name: clear_seller_day
DELETE FROM seller_day WHERE marketplace_id = $1;

-- name: compute_seller_day
INSERT INTO seller_day SELECT * FROM seller_day_computed WHERE marketplace_id = $1;

-- name: clear_saving_day
DELETE FROM saving_day WHERE marketplace_id = $1;

-- name: compute_saving_day
INSERT INTO saving_day SELECT * FROM saving_day_computed WHERE marketplace_id = $1;

-- name: clear_reply_day
DELETE FROM reply_day WHERE marketplace_id = $1;

-- name: compute_reply_day
INSERT INTO reply_day SELECT * FROM reply_day_computed WHERE marketplace_id = $1;

-- name: all_marketplaces
SELECT marketplace_id FROM marketplace ORDER BY marketplace_id;

-- name: every_fact
SELECT f.order_id, f.sequence FROM order_fact f JOIN marketplace m USING (marketplace_id, generation)
ORDER BY f.order_id;

-- name: facts_of
SELECT f.*, m.zone FROM order_fact f JOIN marketplace m USING (marketplace_id, generation)
WHERE f.order_id = ANY ($1::uuid[]);

-- name: movements_of
SELECT v.order_id, v.sequence, v.marketplace_id, v.occurred_at, v.day, v.status, v.phase, v.enters_status,
       v.enters_phase, v.seller_told, v.total_minor, v.paid_minor, v.refunded_minor, v.commission_minor,
       v.commission_reversed_minor
FROM order_movement v JOIN marketplace m USING (marketplace_id, generation)
WHERE v.order_id = ANY ($1::uuid[]);

-- name: try_rebuild_lock
SELECT pg_try_advisory_lock($1);

-- name: begin_building
-- Waits for the batches in flight; the batches after it write to both generations.
UPDATE marketplace SET building = greatest(generation, coalesce(building, 0)) + 1
RETURNING marketplace_id, building;

-- name: swap
UPDATE marketplace SET generation = building, building = NULL WHERE building IS NOT NULL;

-- name: drop_building
UPDATE marketplace SET building = NULL WHERE building IS NOT NULL;

-- name: compare_generations
-- Sums of the generation that is served and of the given one, where they are not equal.
SELECT * FROM (
    SELECT d.clock, d.currency,
           coalesce(sum(d.pending + d.preparing + d.in_transit + d.completed + d.canceled + d.approval)
               FILTER (WHERE d.generation = m.generation), 0)::bigint AS old_orders,
           coalesce(sum(d.pending + d.preparing + d.in_transit + d.completed + d.canceled + d.approval)
               FILTER (WHERE d.generation = $2), 0)::bigint AS new_orders,
           coalesce(sum(d.gross_minor) FILTER (WHERE d.generation = m.generation), 0)::bigint AS old_gross,
           coalesce(sum(d.gross_minor) FILTER (WHERE d.generation = $2), 0)::bigint AS new_gross,
           coalesce(sum(d.refunded_minor) FILTER (WHERE d.generation = m.generation), 0)::bigint AS old_refunded,
           coalesce(sum(d.refunded_minor) FILTER (WHERE d.generation = $2), 0)::bigint AS new_refunded,
           coalesce(sum(d.commission_minor - d.commission_reversed_minor)
               FILTER (WHERE d.generation = m.generation), 0)::bigint AS old_commission_net,
           coalesce(sum(d.commission_minor - d.commission_reversed_minor)
               FILTER (WHERE d.generation = $2), 0)::bigint AS new_commission_net
    FROM channel_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.marketplace_id = $1 GROUP BY d.clock, d.currency
) AS s
WHERE (old_orders, old_gross, old_refunded, old_commission_net)
   <> (new_orders, new_gross, new_refunded, new_commission_net)
ORDER BY clock, currency;

-- name: compare_facts
-- Orders that the two generations do not tell alike: known to one of them only, or with other amounts or status.
SELECT count(DISTINCT order_id) FROM (
    SELECT order_id FROM (
        SELECT f.order_id, f.sequence, f.status, f.total_minor, f.paid_minor, f.refunded_minor, f.commission_minor,
               f.commission_reversed_minor, f.seller_knows, f.seller_told
        FROM order_fact f JOIN marketplace m USING (marketplace_id, generation) WHERE f.marketplace_id = $1
        UNION ALL
        SELECT f.order_id, f.sequence, f.status, f.total_minor, f.paid_minor, f.refunded_minor, f.commission_minor,
               f.commission_reversed_minor, f.seller_knows, f.seller_told
        FROM order_fact f WHERE f.marketplace_id = $1 AND f.generation = $2
    ) AS told
    GROUP BY order_id, sequence, status, total_minor, paid_minor, refunded_minor, commission_minor,
             commission_reversed_minor, seller_knows, seller_told
    HAVING count(*) <> 2
) AS apart;

-- name: forgotten_facts
-- Orders that are served and that another generation knows nothing of.
SELECT count(*) FROM (
    SELECT f.order_id FROM order_fact f JOIN marketplace m USING (marketplace_id, generation)
    WHERE f.marketplace_id = $1
    EXCEPT
    SELECT f.order_id FROM order_fact f WHERE f.marketplace_id = $1 AND f.generation = $2
) AS forgotten;

-- name: unequal_status_day
WITH served AS (
    SELECT d.* FROM status_day d JOIN marketplace m USING (marketplace_id, generation)
    WHERE d.marketplace_id = $1 AND (d.orders <> 0 OR d.value_minor <> 0 OR d.paid_minor <> 0 OR d.refunded_minor <> 0 OR d.commission_minor <> 0
       OR d.commission_reversed_minor <> 0)
), computed AS (
    SELECT c.* FROM status_day_computed c JOIN marketplace m USING (marketplace_id, generation) WHERE c.marketplace_id = $1
)
(SELECT 'served' AS source, to_jsonb(s)::text AS row FROM (SELECT * FROM served EXCEPT SELECT * FROM computed) s LIMIT $2)
UNION ALL
(SELECT 'computed', to_jsonb(s)::text FROM (SELECT * FROM computed EXCEPT SELECT * FROM served) s LIMIT $2);

-- name: count_status_day
SELECT count(*) FROM status_day d JOIN marketplace m USING (marketplace_id, generation) WHERE d.marketplace_id = $1;

-- name: unequal_channel_day
WITH served AS (
    SELECT d.* FROM channel_day d JOIN marketplace m USING (marketplace_id, generation)
    WHERE d.marketplace_id = $1 AND (d.approval + d.pending + d.preparing + d.in_transit + d.completed + d.canceled <> 0 OR d.gross_minor <> 0
       OR d.canceled_minor <> 0 OR d.paid_minor <> 0 OR d.refunded_minor <> 0 OR d.commission_minor <> 0
       OR d.commission_reversed_minor <> 0)
), computed AS (
    SELECT c.* FROM channel_day_computed c JOIN marketplace m USING (marketplace_id, generation) WHERE c.marketplace_id = $1
)
(SELECT 'served' AS source, to_jsonb(s)::text AS row FROM (SELECT * FROM served EXCEPT SELECT * FROM computed) s LIMIT $2)
UNION ALL
(SELECT 'computed', to_jsonb(s)::text FROM (SELECT * FROM computed EXCEPT SELECT * FROM served) s LIMIT $2);

-- name: count_channel_day
SELECT count(*) FROM channel_day d JOIN marketplace m USING (marketplace_id, generation) WHERE d.marketplace_id = $1;

-- name: unequal_seller_day
WITH served AS (
    SELECT d.* FROM seller_day d JOIN marketplace m USING (marketplace_id, generation)
    WHERE d.marketplace_id = $1 AND (d.approval + d.pending + d.preparing + d.in_transit + d.completed + d.canceled <> 0 OR d.gross_minor <> 0
       OR d.canceled_minor <> 0 OR d.paid_minor <> 0 OR d.refunded_minor <> 0 OR d.commission_minor <> 0
       OR d.commission_reversed_minor <> 0)
), computed AS (
    SELECT c.* FROM seller_day_computed c JOIN marketplace m USING (marketplace_id, generation) WHERE c.marketplace_id = $1
)
(SELECT 'served' AS source, to_jsonb(s)::text AS row FROM (SELECT * FROM served EXCEPT SELECT * FROM computed) s LIMIT $2)
UNION ALL
(SELECT 'computed', to_jsonb(s)::text FROM (SELECT * FROM computed EXCEPT SELECT * FROM served) s LIMIT $2);

-- name: count_seller_day
SELECT count(*) FROM seller_day d JOIN marketplace m USING (marketplace_id, generation) WHERE d.marketplace_id = $1;

-- name: unequal_saving_day
WITH served AS (
    SELECT d.* FROM saving_day d JOIN marketplace m USING (marketplace_id, generation)
    WHERE d.marketplace_id = $1 AND (d.orders <> 0 OR d.grams <> 0 OR d.co2e_grams <> 0 OR d.value_minor <> 0)
), computed AS (
    SELECT c.* FROM saving_day_computed c JOIN marketplace m USING (marketplace_id, generation) WHERE c.marketplace_id = $1
)
(SELECT 'served' AS source, to_jsonb(s)::text AS row FROM (SELECT * FROM served EXCEPT SELECT * FROM computed) s LIMIT $2)
UNION ALL
(SELECT 'computed', to_jsonb(s)::text FROM (SELECT * FROM computed EXCEPT SELECT * FROM served) s LIMIT $2);

-- name: count_saving_day
SELECT count(*) FROM saving_day d JOIN marketplace m USING (marketplace_id, generation) WHERE d.marketplace_id = $1;

-- name: unequal_reply_day
WITH served AS (
    SELECT d.* FROM reply_day d JOIN marketplace m USING (marketplace_id, generation)
    WHERE d.marketplace_id = $1 AND (d.replies <> 0)
), computed AS (
    SELECT c.* FROM reply_day_computed c JOIN marketplace m USING (marketplace_id, generation) WHERE c.marketplace_id = $1
)
(SELECT 'served' AS source, to_jsonb(s)::text AS row FROM (SELECT * FROM served EXCEPT SELECT * FROM computed) s LIMIT $2)
UNION ALL
(SELECT 'computed', to_jsonb(s)::text FROM (SELECT * FROM computed EXCEPT SELECT * FROM served) s LIMIT $2);

-- name: count_reply_day
SELECT count(*) FROM reply_day d JOIN marketplace m USING (marketplace_id, generation) WHERE d.marketplace_id = $1;

-- name: clear_generations_order_fact
DELETE FROM order_fact WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM order_fact d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_order_movement
DELETE FROM order_movement WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM order_movement d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_status_day
DELETE FROM status_day WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM status_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_channel_day
DELETE FROM channel_day WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM channel_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_seller_day
DELETE FROM seller_day WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM seller_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_saving_day
DELETE FROM saving_day WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM saving_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_reply_clock
DELETE FROM reply_clock WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM reply_clock d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_reply
DELETE FROM reply WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM reply d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));

-- name: clear_generations_reply_day
DELETE FROM reply_day WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM reply_day d JOIN marketplace m ON m.marketplace_id = d.marketplace_id
    WHERE d.generation <> m.generation AND d.generation IS DISTINCT FROM m.building LIMIT $1));
