-- Whether the seller may know of an event. By event date, sellers' figures are made of those that it may know of: the
-- money of what happened before (an approval, what was paid meanwhile) comes with the first of them.
ALTER TABLE order_movement ADD COLUMN seller_told boolean NOT NULL DEFAULT true;
ALTER TABLE order_fact ADD COLUMN seller_told boolean NOT NULL DEFAULT true;

CREATE VIEW seller_contribution WITH (security_invoker = true) AS
SELECT f.generation, f.order_id, f.marketplace_id, 'placed' AS clock, f.placed_day AS day, f.currency, f.phase,
       f.seller_organisation_id, 1 AS phase_entries, f.total_minor AS gross_minor,
       CASE WHEN f.phase = 'canceled' THEN f.total_minor ELSE 0 END AS canceled_minor,
       f.paid_minor, f.refunded_minor, f.commission_minor, f.commission_reversed_minor,
       f.accepted::int AS accepted,
       (f.cancel_kind IS NOT DISTINCT FROM 'rejected' AND NOT f.accepted)::int AS rejected,
       f.due::int AS due, f.late::int AS late, f.issue::int AS issues,
       (f.paid_minor > 0)::int AS paid_orders, (f.refunded_minor > 0)::int AS refunded_orders
FROM order_fact f WHERE f.seller_knows
UNION ALL
SELECT v.generation, v.order_id, v.marketplace_id, 'event', v.day, f.currency, v.phase,
       f.seller_organisation_id, v.enters_phase::int, v.gross_minor, v.canceled_minor, v.paid_minor, v.refunded_minor,
       v.commission_minor, v.commission_reversed_minor, 0, 0, 0, 0, 0, 0, 0
FROM (
    SELECT generation, order_id, marketplace_id, day, phase, enters_phase,
           total_minor - lag(total_minor, 1, 0::bigint) OVER w AS gross_minor,
           CASE WHEN phase = 'canceled' THEN total_minor ELSE 0 END
               - lag(CASE WHEN phase = 'canceled' THEN total_minor ELSE 0 END, 1, 0::bigint) OVER w AS canceled_minor,
           paid_minor - lag(paid_minor, 1, 0::bigint) OVER w AS paid_minor,
           refunded_minor - lag(refunded_minor, 1, 0::bigint) OVER w AS refunded_minor,
           commission_minor - lag(commission_minor, 1, 0::bigint) OVER w AS commission_minor,
           commission_reversed_minor - lag(commission_reversed_minor, 1, 0::bigint) OVER w AS commission_reversed_minor
    FROM order_movement WHERE seller_told
    WINDOW w AS (PARTITION BY generation, order_id ORDER BY sequence)
) v
JOIN order_fact f ON f.generation = v.generation AND f.order_id = v.order_id;

CREATE OR REPLACE VIEW seller_day_computed WITH (security_invoker = true) AS
SELECT
    marketplace_id, generation, clock, day, seller_organisation_id, currency,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'approval'), 0)::bigint AS approval,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'pending'), 0)::bigint AS pending,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'preparing'), 0)::bigint AS preparing,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'in_transit'), 0)::bigint AS in_transit,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'completed'), 0)::bigint AS completed,
    coalesce(sum(phase_entries) FILTER (WHERE phase = 'canceled'), 0)::bigint AS canceled,
    sum(gross_minor)::bigint AS gross_minor,
    sum(canceled_minor)::bigint AS canceled_minor,
    sum(paid_minor)::bigint AS paid_minor,
    sum(refunded_minor)::bigint AS refunded_minor,
    sum(commission_minor)::bigint AS commission_minor,
    sum(commission_reversed_minor)::bigint AS commission_reversed_minor,
    sum(accepted)::bigint AS accepted,
    sum(rejected)::bigint AS rejected,
    sum(due)::bigint AS due,
    sum(late)::bigint AS late,
    sum(issues)::bigint AS issues,
    sum(paid_orders)::bigint AS paid_orders,
    sum(refunded_orders)::bigint AS refunded_orders
FROM seller_contribution
GROUP BY marketplace_id, generation, clock, day, seller_organisation_id, currency
HAVING sum(phase_entries) <> 0 OR sum(gross_minor) <> 0 OR sum(canceled_minor) <> 0 OR sum(paid_minor) <> 0
    OR sum(refunded_minor) <> 0 OR sum(commission_minor) <> 0 OR sum(commission_reversed_minor) <> 0;

DO $$ BEGIN
    EXECUTE format('GRANT SELECT ON seller_contribution TO %I', replace(current_user, '_owner', '') || '_worker');
END $$;

-- What was taken in before: of an approval sellers are never told, nor of orders that they do not know of. (`ordertrail
-- rebuild` reads the rest, as changes of a lifecycle of one's own that tell one side alone, from the topics.)
CREATE POLICY owner_fact ON order_fact TO CURRENT_USER USING (true);
CREATE POLICY owner_movement ON order_movement TO CURRENT_USER USING (true);
CREATE POLICY owner_seller_day ON seller_day TO CURRENT_USER USING (true);
UPDATE order_fact SET seller_told = false WHERE NOT seller_knows;
UPDATE order_movement AS v SET seller_told = false FROM order_fact AS f
WHERE f.generation = v.generation AND f.order_id = v.order_id AND (v.phase = 'approval' OR NOT f.seller_knows);
DELETE FROM seller_day WHERE clock = 'event'
    AND marketplace_id IN (SELECT marketplace_id FROM order_movement WHERE NOT seller_told);
INSERT INTO seller_day SELECT * FROM seller_day_computed WHERE clock = 'event'
    AND marketplace_id IN (SELECT marketplace_id FROM order_movement WHERE NOT seller_told);
DROP POLICY owner_seller_day ON seller_day;
DROP POLICY owner_movement ON order_movement;
DROP POLICY owner_fact ON order_fact;
