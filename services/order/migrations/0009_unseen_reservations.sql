-- Of what a listing has reserved, that part which its seller must not see: of orders that wait for approval. It keeps
-- other buyers from ordering it. What the seller sells itself, and what is approved, is measured as if it were not there.
ALTER TABLE listing ADD COLUMN hidden numeric NOT NULL DEFAULT 0 CHECK (hidden >= 0);

-- What is reserved is counted from now on also where stock is not: it may be counted again, and then this is promised.
CREATE POLICY owner_listing ON listing TO CURRENT_USER USING (true);
UPDATE listing AS l
SET reserved = CASE WHEN l.on_hand IS NULL THEN held.reserved ELSE l.reserved END,
    hidden = least(held.hidden, CASE WHEN l.on_hand IS NULL THEN held.reserved ELSE l.reserved END)
FROM (
    SELECT p.listing_id, sum(p.quantity) AS reserved,
           coalesce(sum(p.quantity) FILTER (WHERE p.phase = 'approval'), 0) AS hidden
    FROM (
        SELECT o.phase, (line ->> 'listing_id')::uuid AS listing_id,
               (line ->> 'ordered')::numeric - coalesce((line ->> 'rejected')::numeric, 0)
                   - coalesce((line ->> 'canceled')::numeric, 0) - coalesce((line ->> 'shipped')::numeric, 0) AS quantity
        FROM orders AS o, json_array_elements(o.doc -> 'lines') AS line
        WHERE o.phase IN ('approval', 'pending', 'preparing', 'in_transit') AND line ->> 'listing_id' IS NOT NULL
    ) AS p
    GROUP BY p.listing_id
) AS held
WHERE l.id = held.listing_id AND (l.on_hand IS NULL OR held.hidden > 0);
DROP POLICY owner_listing ON listing;
