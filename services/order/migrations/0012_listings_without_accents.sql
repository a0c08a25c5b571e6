-- Listings are found with and without accents, in any case, as orders are. unaccent is only STABLE because its rules are a
-- file of the server; an index holds what they say when it is built. Names are qualified: maintenance looks in no schema.
CREATE FUNCTION folded(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(public.unaccent('public.unaccent'::regdictionary, normalize(words, NFC)))
$$;

CREATE OR REPLACE FUNCTION listing_text(sku text, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT orders.folded(sku || ' ' || name)
$$;
REINDEX INDEX listing_words;

-- As before, with the words folded as the listings are.
CREATE OR REPLACE FUNCTION listings_matching(words text[], seller uuid, unsold boolean, sku_after text, id_after uuid,
                                             most int)
    RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp AS $$
DECLARE
    conditions text := '';
    word text;
BEGIN
    FOREACH word IN ARRAY words LOOP
        conditions := conditions || format(' AND orders.listing_text(sku, name) LIKE %L',
            '%' || replace(replace(replace(orders.folded(word), '\', '\\'), '%', '\%'), '_', '\_') || '%');
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
