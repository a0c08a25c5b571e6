-- Lists that are narrowed to values, found by the combinations of values that orders have. See docs/decisions/0090.

-- All orders of a combination are beside each other, in the order of the list: the first of each combination that fits
-- are looked at, whatever else there is. Once for a marketplace, its channels, a seller and a buyer, by date and by amount.
CREATE INDEX orders_values_by_placed ON orders (marketplace_id, status, shown, money, issue, overdue, phase,
    placed_at, id, channel, total_minor, known, seller_org, buyer_org);
CREATE INDEX orders_values_by_total ON orders (marketplace_id, status, shown, money, issue, overdue, phase,
    total_minor, id, channel, placed_at, known, seller_org, buyer_org);
CREATE INDEX orders_channel_values_by_placed ON orders (marketplace_id, channel, status, shown, money, issue, overdue, phase,
    placed_at, id, total_minor, known, seller_org, buyer_org);
CREATE INDEX orders_channel_values_by_total ON orders (marketplace_id, channel, status, shown, money, issue, overdue, phase,
    total_minor, id, placed_at, known, seller_org, buyer_org);
CREATE INDEX orders_seller_values_by_placed ON orders (marketplace_id, seller_org, status, shown, money, issue, overdue, phase,
    placed_at, id, channel, total_minor, known, buyer_org);
CREATE INDEX orders_seller_values_by_total ON orders (marketplace_id, seller_org, status, shown, money, issue, overdue, phase,
    total_minor, id, channel, placed_at, known, buyer_org);
CREATE INDEX orders_buyer_values_by_placed ON orders (marketplace_id, buyer_org, status, shown, money, issue, overdue, phase,
    placed_at, id, channel, total_minor, known, seller_org);
CREATE INDEX orders_buyer_values_by_total ON orders (marketplace_id, buyer_org, status, shown, money, issue, overdue, phase,
    total_minor, id, channel, placed_at, known, seller_org);
-- What those do as well.
DROP INDEX orders_by_phase, orders_by_channel, orders_by_money, orders_by_filters, orders_by_values, orders_over_status;

-- Two transactions that place the same new names in opposite order would wait for each other under a unique index. Both
-- keep the name instead: one that stands there twice is found as it is.
ALTER TABLE customer_name DROP CONSTRAINT customer_name_pkey;
CREATE INDEX customer_name_whole ON customer_name (marketplace_id, name);
CREATE OR REPLACE FUNCTION keep_customer_names() RETURNS trigger LANGUAGE plpgsql SET search_path = orders, pg_temp AS $$
BEGIN
    INSERT INTO customer_name
    SELECT DISTINCT p.marketplace_id, p.customer_name_lc FROM placed AS p
    WHERE p.customer_name_lc <> '' AND octet_length(p.customer_name_lc) <= 400 AND NOT EXISTS (
        SELECT FROM customer_name AS c WHERE c.marketplace_id = p.marketplace_id AND c.name = p.customer_name_lc);
    RETURN NULL;
END $$;
-- Where no name has a letter, the planner would read all of them in the hope of a frequent one.
ALTER FUNCTION customer_names_matching(text, int) SET enable_seqscan = off;
ALTER FUNCTION customer_names_matching(text, int) SET enable_indexscan = off;
ALTER FUNCTION customer_names_matching(text, int) SET enable_indexonlyscan = off;

-- At most `most` names of the caller's marketplace that end so. One look finds them: those of a letter or two are many.
CREATE INDEX customer_name_ends ON customer_name (marketplace_id, reverse(' ' || name));
CREATE FUNCTION customer_names_ending(ending text, most int) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT name FROM customer_name WHERE marketplace_id = current_marketplace()
       AND reverse(' ' || name) >= reverse(ending) AND reverse(' ' || name) < reverse(ending) || chr(1114111) LIMIT most
$$;

-- As before, and: the needle may begin in a name and end behind it. There is a name that ends so, and a text that begins
-- with the next word: the index is asked for that word, or, where it has less than three letters, for the names. At most
-- `looked_at` orders are looked at for each; where there are more, as many nulls are given as may be found.
CREATE OR REPLACE FUNCTION orders_matching(part text, needle text, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp
    -- short parts look frequent to the planner, which would then read everything instead of the index
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
DECLARE
    looked_at CONSTANT int := 5000;
    marketplace uuid := orders.current_marketplace();
    words text[] := string_to_array(needle, ' ');
    beside text;
    names text[];
    seen int;
    found uuid[];
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT id FROM orders.orders WHERE orders.beside_name(search, customer_name_lc) LIKE %L'
        ' AND strpos(search, %L) > 0 AND marketplace_id = %L LIMIT %s',
        '%' || replace(replace(replace(part, '\', '\\'), '%', '\%'), '_', '\_') || '%', needle, marketplace, most);
    FOR n IN 1 .. cardinality(words) - 1 LOOP
        CONTINUE WHEN words[n] = '';
        beside := ' ' || substring(words[n + 1] FROM '^[^@.]*');
        names := ARRAY(SELECT orders.customer_names_ending(
            array_to_string(words[:n], ' '), CASE WHEN length(beside) > 3 THEN 1 ELSE looked_at END));
        CONTINUE WHEN names = '{}';
        EXECUTE format(
            'SELECT count(*), array_agg(id) FILTER (WHERE strpos(search, %L) > 0) FROM ('
            'SELECT id, search FROM orders.orders WHERE marketplace_id = %L AND %s LIMIT %s) AS o', needle, marketplace,
            CASE WHEN length(beside) > 3 THEN format('orders.beside_name(search, customer_name_lc) LIKE %L',
                replace(replace(replace(beside, '\', '\\'), '%', '\%'), '_', '\_') || '%')
            ELSE format('customer_name_lc = ANY (%L) AND octet_length(customer_name_lc) <= 400', names) END, looked_at)
        INTO seen, found;
        RETURN QUERY SELECT unnest(CASE WHEN seen < looked_at THEN found ELSE array_fill(NULL::uuid, ARRAY[most]) END);
    END LOOP;
END $$;
