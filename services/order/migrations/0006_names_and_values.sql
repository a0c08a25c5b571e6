-- Names of customers that many orders have, found without looking at the orders one by one. See docs/decisions/0090.

-- Every name that an order's customer has, once. Longer ones are looked for in the orders' texts.
CREATE TABLE customer_name (
    marketplace_id uuid NOT NULL,
    name text NOT NULL COLLATE "C" CHECK (name <> '' AND octet_length(name) <= 400),
    PRIMARY KEY (marketplace_id, name)
);
SELECT protect('customer_name', 'append_only');
CREATE POLICY owner_search ON customer_name FOR SELECT TO CURRENT_USER USING (true);
-- With the space before the name, as in the orders' texts: one or two letters are looked for at the beginning of a word.
CREATE INDEX customer_name_words ON customer_name USING gin ((' ' || name) gin_trgm_ops);

CREATE FUNCTION keep_customer_names() RETURNS trigger LANGUAGE plpgsql SET search_path = orders, pg_temp AS $$
BEGIN
    -- in one order, so that two transactions with the same new names cannot wait for each other
    INSERT INTO customer_name
    SELECT DISTINCT marketplace_id, customer_name_lc FROM placed
    WHERE customer_name_lc <> '' AND octet_length(customer_name_lc) <= 400
    ORDER BY marketplace_id, customer_name_lc
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- The name of an order's customer never changes.
CREATE TRIGGER keep_customer_names AFTER INSERT ON orders REFERENCING NEW TABLE AS placed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_customer_names();
CREATE POLICY owner_names ON customer_name FOR INSERT TO CURRENT_USER WITH CHECK (true);
INSERT INTO customer_name
SELECT DISTINCT marketplace_id, customer_name_lc FROM orders
WHERE customer_name_lc <> '' AND octet_length(customer_name_lc) <= 400;
DROP POLICY owner_names ON customer_name;

-- All orders of a name are beside each other, with everything that lists are filtered and sorted by. What leaves few of
-- a frequent name's orders comes first.
CREATE INDEX orders_by_customer ON orders (marketplace_id, customer_name_lc, overdue, status, over, placed_at, id,
    phase, channel, money, issue, total_minor, known, seller_org, buyer_org, buyer_person)
    WHERE octet_length(customer_name_lc) <= 400;

-- Each combination of the values that lists are filtered by, by amount: the first of every combination that fits are
-- looked at, and no others. `shown` instead of `over`, which may be null.
CREATE INDEX orders_by_values ON orders (marketplace_id, status, shown, money, issue, overdue, channel, phase,
    total_minor, id, placed_at, over, known, seller_org, buyer_org);

-- What an order is found by beside its customer's name: all of the text where the name is too long to be kept.
CREATE FUNCTION beside_name(search text, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN name <> '' AND octet_length(name) <= 400 AND starts_with(search, ' ' || name)
                THEN substr(search, length(name) + 2) ELSE search END
$$;
DROP INDEX orders_search;
CREATE INDEX orders_search ON orders USING gin (beside_name(search, customer_name_lc) gin_trgm_ops)
    WITH (gin_pending_list_limit = 256);

-- At most `most` names of the caller's marketplace that have `needle` in them. LIKE is not leakproof: see orders_matching.
CREATE FUNCTION customer_names_matching(needle text, most int) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT name FROM orders.customer_name WHERE marketplace_id = %L AND '' '' || name LIKE %L LIMIT %s',
        orders.current_marketplace(), '%' || replace(replace(replace(needle, '\', '\\'), '%', '\%'), '_', '\_') || '%', most);
END $$;

-- Ids of at most `most` orders of the caller's marketplace whose search text has `needle` in it, not all of it in the
-- customer's name. `part` is the part of it that the index is asked for: words that are in very many orders would only
-- make it slow. LIKE is not leakproof, so under row-level security its index would be ignored; here the marketplace is
-- filtered by hand.
DROP FUNCTION orders_matching;
CREATE FUNCTION orders_matching(part text, needle text, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp
    -- short parts look frequent to the planner, which would then read everything instead of the index
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
DECLARE
    marketplace uuid := orders.current_marketplace();
    likes text[] := ARRAY['%' || replace(replace(replace(part, '\', '\\'), '%', '\%'), '_', '\_') || '%'];
    words text[] := string_to_array(replace(replace(replace(needle, '\', '\\'), '%', '\%'), '_', '\_'), ' ');
    pattern text;
BEGIN
    -- The needle may begin in a name and end behind it: there is a name that ends so, and a text that begins with the
    -- next word.
    FOR n IN 1 .. cardinality(words) - 1 LOOP
        CONTINUE WHEN words[n] = '';
        IF EXISTS (SELECT FROM orders.customer_name AS c WHERE c.marketplace_id = marketplace
                   AND ' ' || c.name LIKE '%' || array_to_string(words[:n], ' ')) THEN
            likes := likes || (' ' || substring(words[n + 1] FROM '^[^@.]*') || '%');
        END IF;
    END LOOP;
    FOREACH pattern IN ARRAY likes LOOP
        RETURN QUERY EXECUTE format(
            'SELECT id FROM orders.orders WHERE orders.beside_name(search, customer_name_lc) LIKE %L'
            ' AND strpos(search, %L) > 0 AND marketplace_id = %L LIMIT %s', pattern, needle, marketplace, most);
    END LOOP;
END $$;
