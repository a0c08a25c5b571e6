-- Listings are found by parts of their number and name.
CREATE FUNCTION listing_text(sku text, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(sku || ' ' || name)
$$;
CREATE INDEX listing_words ON listing USING gin (listing_text(sku, name) gin_trgm_ops)
    WITH (gin_pending_list_limit = 256);

-- The owner reads listings in a SECURITY DEFINER function, which filters the marketplace itself.
CREATE POLICY owner_search ON listing FOR SELECT TO CURRENT_USER USING (true);

-- Ids of a page of the caller's marketplace's listings that have every word in their number or name, by number. LIKE is
-- not leakproof, so under row-level security its index would be ignored. With the values in it the planner sees whether
-- few have the words, or so many that walking the list finds a page of them sooner.
CREATE FUNCTION listings_matching(words text[], seller uuid, unsold boolean, sku_after text, id_after uuid, most int)
    RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp AS $$
DECLARE
    conditions text := '';
    word text;
BEGIN
    FOREACH word IN ARRAY words LOOP
        conditions := conditions || format(' AND orders.listing_text(sku, name) LIKE %L',
            '%' || replace(replace(replace(lower(word), '\', '\\'), '%', '\%'), '_', '\_') || '%');
    END LOOP;
    IF seller IS NOT NULL THEN
        conditions := conditions || format(' AND seller_org = %L', seller);
    END IF;
    IF NOT unsold THEN
        conditions := conditions || ' AND active';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT id FROM orders.listing WHERE marketplace_id = %L AND (sku, id) > (%L, %L::uuid)%s ORDER BY sku, id LIMIT %s',
        orders.current_marketplace(), sku_after, id_after, conditions, most);
END $$;

-- What came in for each order and whose it is: the amounts are the card's, commission less what was reversed. A refund
-- that was begun counts when it is paid out: until then the order's money is held. So is what was paid for a canceled
-- order, and beyond what is sold of any: nobody has earned it, and it is the first to go back. (Cards that were written
-- before they said so tell of the total only.)
CREATE VIEW order_earning WITH (security_invoker = true) AS
SELECT e.*, CASE WHEN e.keeps THEN e.earned ELSE 0 END + e.excess AS held
FROM (
    SELECT o.marketplace_id, o.seller_org, o.id, o.placed_at, o.currency, o.phase, o.issue, o.money, o.card, m.*,
           m.paid - m.refunded - m.commission - m.excess AS earned,
           o.issue = 'open' OR o.money = 'refunding' OR o.phase = 'canceled' AS keeps
    FROM orders AS o
    CROSS JOIN LATERAL (
        SELECT (o.card -> 'paid' ->> 'amount')::numeric AS paid, (o.card -> 'refunded' ->> 'amount')::numeric AS refunded,
               (o.card -> 'commission' ->> 'amount')::numeric AS commission,
               coalesce((o.card -> 'excess' ->> 'amount')::numeric,
                        greatest((o.card -> 'paid' ->> 'amount')::numeric - (o.card -> 'total' ->> 'amount')::numeric
                                 - (o.card -> 'refunded' ->> 'amount')::numeric, 0)) AS excess
    ) AS m
    WHERE o.known
) AS e
WHERE e.paid > 0;

DO $$ DECLARE app text := replace(current_user, '_owner', ''); BEGIN
    EXECUTE format('GRANT SELECT ON order_earning TO %I, %I', app, app || '_worker');
END $$;
