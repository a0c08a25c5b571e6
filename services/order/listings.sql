-- Listings, what is in stock of them, and their units.

-- name: stock_of
-- Free stock as the seller sees it, without what waits for approval.
SELECT id, on_hand - reserved + hidden AS free FROM listing WHERE id = ANY ($1::uuid[]);

-- name: lock_stock
SELECT id, on_hand - reserved + hidden AS free FROM listing WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE;

-- name: free_units
-- By their ids, or by their codes among the units of some listings.
SELECT listing_id, id, code FROM listing_unit
WHERE id = ANY ($1::uuid[]) AND state = 'free'
UNION
SELECT listing_id, id, code FROM listing_unit
WHERE listing_id = ANY ($2::uuid[]) AND code = ANY ($3::text[]) AND state = 'free';

-- name: insert_listing
INSERT INTO listing (marketplace_id, id, version, seller_org, sku, name, price_minor, currency, unit_code, on_hand,
                     tracked, delivery_mode, location, kg_per_unit, material, active, changed_at)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
RETURNING *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name;

-- name: update_listing
UPDATE listing
SET version = version + 1, sku = $2, name = $3, price_minor = $4, currency = $5, unit_code = $6, on_hand = $7,
    delivery_mode = $8, location = $9, kg_per_unit = $10, material = $11, active = $12, changed_at = $13
WHERE id = $1
RETURNING *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name;

-- name: lock_listing
SELECT *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name
FROM listing WHERE marketplace_id = $1 AND id = $2 FOR UPDATE;

-- name: read_listing
SELECT *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name
FROM listing WHERE id = $1;

-- name: list_listings
SELECT *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name
FROM listing
WHERE marketplace_id = $1 AND ($2::uuid IS NULL OR seller_org = $2) AND ($3::text IS NULL OR sku = $3)
  AND ($4 OR active) AND (sku, id) > ($5::text, $6::uuid)
ORDER BY sku, id LIMIT $7;

-- name: find_listings
-- $2 the words, all of which a listing has in its number or name.
SELECT *, (SELECT o.name FROM organisation AS o WHERE o.id = seller_org) AS seller_name
FROM listing
WHERE marketplace_id = $1
  AND id = ANY (ARRAY(SELECT listings_matching($2::text[], $3::uuid, $4::boolean, $5::text, $6::uuid, $7::int)))
ORDER BY sku, id;

-- name: units_of_listing
SELECT id, code, state, order_id, line_id, organisation_id, location FROM listing_unit
WHERE listing_id = $1 ORDER BY code LIMIT 10000;

-- name: add_units
INSERT INTO listing_unit (marketplace_id, id, listing_id, code, state, organisation_id, location)
SELECT $1, u.id, $2, u.code, 'free', $3, $4 FROM unnest($5::uuid[], $6::text[]) AS u (id, code)
ON CONFLICT (listing_id, code) DO NOTHING
RETURNING id;
