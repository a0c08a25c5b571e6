-- name: placing_context
-- Everything that placing has to know of the marketplace, in one round trip.
-- $1 marketplace, $2 channel, $3 lifecycle (null: the channel's or marketplace's), $4 names of organisations,
-- $5 listing ids, $6 SKUs, $7 external id or null. An order that is there already takes no number.
WITH seen AS MATERIALIZED (
    SELECT EXISTS (SELECT 1 FROM orders WHERE marketplace_id = $1 AND channel = $2 AND external_id = $7) AS already
),
place AS (SELECT * FROM marketplace WHERE marketplace_id = $1),
chosen AS (SELECT version, config FROM channel WHERE marketplace_id = $1 AND name = $2),
offer AS (
    SELECT * FROM listing WHERE marketplace_id = $1 AND id = ANY ($5::uuid[])
    UNION
    SELECT * FROM listing WHERE marketplace_id = $1 AND sku = ANY ($6::text[])
),
party AS (
    SELECT a.alias, o.* FROM organisation_alias AS a JOIN organisation AS o ON o.id = a.organisation_id
    WHERE a.marketplace_id = $1
      AND a.alias = ANY ($4::text[] || ARRAY(SELECT DISTINCT seller_org::text FROM offer)
                         || ARRAY(SELECT config ->> 'default_seller' FROM chosen)
                         || ARRAY(SELECT config ->> 'default_buyer' FROM chosen))
    UNION ALL
    (SELECT ':operator', o.* FROM organisation AS o WHERE o.marketplace_id = $1 AND o.kind = 'operator'
     ORDER BY o.id LIMIT 1)
),
course AS (
    SELECT name, version, digest, builtin FROM lifecycle
    WHERE marketplace_id = $1
      AND name = coalesce($3, (SELECT config ->> 'lifecycle' FROM chosen), (SELECT p.lifecycle FROM place AS p))
    ORDER BY version DESC LIMIT 1
)
SELECT seen.already, CASE WHEN NOT seen.already THEN next_order_number($1) END AS number,
       (SELECT to_jsonb(p) FROM place AS p) AS marketplace,
       (SELECT config FROM chosen) AS channel,
       (SELECT to_jsonb(c) FROM course AS c) AS lifecycle,
       (SELECT jsonb_agg(to_jsonb(p) - 'as_of' - 'external_ids'
                         || jsonb_build_object('commission_rate', p.commission_rate::text)) FROM party AS p) AS parties,
       (SELECT jsonb_agg(jsonb_build_object(
            'id', id, 'seller_org', seller_org, 'sku', sku, 'name', name, 'price_minor', price_minor,
            'currency', currency, 'unit_code', unit_code, 'on_hand', on_hand::text, 'reserved', (reserved - hidden)::text,
            'tracked', tracked, 'delivery_mode', delivery_mode, 'kg_per_unit', kg_per_unit::text,
            'material', material, 'active', active)) FROM offer) AS listings
FROM seen;

-- name: next_numbers
SELECT next_order_number($1) AS number FROM generate_series(1, $2::int);

-- name: place_orders
-- One statement for all that placing writes. $1 - $33 orders, $34 - $40 timeline, $41 - $46 outbox, $47 - $52 stock,
-- $53 - $60 idempotency. Answers how many of the stock moves could be made: fewer than asked means not enough stock.
WITH moves AS (
    SELECT * FROM unnest($47::uuid[], $48::numeric[], $49::numeric[], $50::numeric[], $51::boolean[], $52::boolean[])
        AS m (listing_id, reserved, hidden, on_hand, strict, seen)
),
locked AS MATERIALIZED (SELECT l.id FROM listing AS l WHERE l.id = ANY ($47::uuid[]) ORDER BY l.id FOR UPDATE),
stock AS (
    UPDATE listing AS l
    SET reserved = greatest(l.reserved + m.reserved, 0),
        hidden = greatest(least(l.hidden + m.hidden, l.reserved + m.reserved), 0),
        on_hand = CASE WHEN l.on_hand IS NULL THEN NULL ELSE greatest(l.on_hand + m.on_hand, 0) END
    FROM moves AS m JOIN locked AS k ON k.id = m.listing_id
    WHERE l.id = m.listing_id AND (NOT m.strict OR l.on_hand IS NULL OR l.on_hand - l.reserved >= m.reserved
                                   OR m.seen AND l.on_hand - l.reserved + l.hidden >= m.reserved - m.hidden)
    RETURNING l.id
),
placed AS (
    INSERT INTO orders (
        marketplace_id, id, number, purchase_id, channel, external_id, part, fingerprint, lifecycle, lifecycle_version,
        sequence, status, shown, phase, money, issue, known, overdue, buyer_org, buyer_person, seller_org,
        customer_name_lc, customer_email_lc, search, currency, total_minor, placed_at, updated_at, closed_at, timer_at,
        chain, card, doc)
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::int[], $8::bytea[], $9::text[],
        $10::int[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::boolean[],
        $18::boolean[], $19::uuid[], $20::uuid[], $21::uuid[], $22::text[], $23::text[], $24::text[], $25::text[],
        $26::bigint[], $27::timestamptz[], $28::timestamptz[], $29::timestamptz[], $30::timestamptz[], $31::bytea[],
        $32::json[], $33::json[])
),
told AS (
    INSERT INTO timeline (marketplace_id, order_id, sequence, occurred_at, event_id, audience, entry, hash)
    SELECT ($1::uuid[])[1], t.order_id, t.sequence, t.occurred_at, t.event_id, t.audience::text[], t.entry, t.hash
    FROM unnest($34::uuid[], $35::bigint[], $36::timestamptz[], $37::uuid[], $38::text[], $39::text[], $40::bytea[])
        AS t (order_id, sequence, occurred_at, event_id, audience, entry, hash)
),
sent AS (
    INSERT INTO outbox (event_id, marketplace_id, topic, key, headers, value)
    SELECT * FROM unnest($41::uuid[], $42::uuid[], $43::text[], $44::text[], $45::bytea[], $46::bytea[])
),
answered AS (
    INSERT INTO idempotency (marketplace_id, caller, key, route, body_hash, status, response, headers)
    SELECT $53::uuid, $54::text, $55::text, $56::text, $57::bytea, $58::int, $59::bytea, $60::jsonb
    WHERE $55::text IS NOT NULL
)
SELECT id FROM stock;

-- name: change_order
-- One statement for all that a change of one order writes. $1 - $17 order, $18 - $24 timeline, $25 - $30 outbox,
-- $31 - $36 stock, $37 - $44 idempotency.
WITH moves AS (
    SELECT * FROM unnest($31::uuid[], $32::numeric[], $33::numeric[], $34::numeric[], $35::boolean[], $36::boolean[])
        AS m (listing_id, reserved, hidden, on_hand, strict, seen)
),
locked AS MATERIALIZED (SELECT l.id FROM listing AS l WHERE l.id = ANY ($31::uuid[]) ORDER BY l.id FOR UPDATE),
stock AS (
    UPDATE listing AS l
    SET reserved = greatest(l.reserved + m.reserved, 0),
        hidden = greatest(least(l.hidden + m.hidden, l.reserved + m.reserved), 0),
        on_hand = CASE WHEN l.on_hand IS NULL THEN NULL ELSE greatest(l.on_hand + m.on_hand, 0) END
    FROM moves AS m JOIN locked AS k ON k.id = m.listing_id
    WHERE l.id = m.listing_id AND (NOT m.strict OR l.on_hand IS NULL OR l.on_hand - l.reserved >= m.reserved
                                   OR m.seen AND l.on_hand - l.reserved + l.hidden >= m.reserved - m.hidden)
    RETURNING l.id
),
changed AS (
    UPDATE orders
    SET sequence = $3, status = $4, shown = $5, phase = $6, money = $7, issue = $8, known = $9, overdue = $10,
        total_minor = $11, updated_at = $12, closed_at = $13, timer_at = $14, chain = $15, card = $16, doc = $17
    WHERE id = $1 AND sequence = $2
    RETURNING id, marketplace_id
),
told AS (
    INSERT INTO timeline (marketplace_id, order_id, sequence, occurred_at, event_id, audience, entry, hash)
    SELECT c.marketplace_id, t.order_id, t.sequence, t.occurred_at, t.event_id, t.audience::text[], t.entry, t.hash
    FROM changed AS c,
        unnest($18::uuid[], $19::bigint[], $20::timestamptz[], $21::uuid[], $22::text[], $23::text[], $24::bytea[])
        AS t (order_id, sequence, occurred_at, event_id, audience, entry, hash)
),
sent AS (
    INSERT INTO outbox (event_id, marketplace_id, topic, key, headers, value)
    SELECT o.* FROM changed AS c,
        unnest($25::uuid[], $26::uuid[], $27::text[], $28::text[], $29::bytea[], $30::bytea[]) AS o
),
answered AS (
    INSERT INTO idempotency (marketplace_id, caller, key, route, body_hash, status, response, headers)
    SELECT $37::uuid, $38::text, $39::text, $40::text, $41::bytea, $42::int, $43::bytea, $44::jsonb
    FROM changed WHERE $39::text IS NOT NULL
)
SELECT (SELECT count(*) FROM changed) AS changed, ARRAY(SELECT id FROM stock) AS stock;

-- name: lock_order
-- The order for a change, with what the marketplace has set for it.
SELECT o.doc, o.chain, o.lifecycle, o.lifecycle_version, o.timer_at, m.settings, c.config AS channel
FROM orders AS o
LEFT JOIN marketplace AS m ON m.marketplace_id = o.marketplace_id
LEFT JOIN channel AS c ON c.marketplace_id = o.marketplace_id AND c.name = o.channel
WHERE o.id = $1
FOR UPDATE OF o;

-- name: read_order
SELECT o.doc, o.chain, o.lifecycle, o.lifecycle_version, o.timer_at, m.settings, c.config AS channel
FROM orders AS o
LEFT JOIN marketplace AS m ON m.marketplace_id = o.marketplace_id
LEFT JOIN channel AS c ON c.marketplace_id = o.marketplace_id AND c.name = o.channel
WHERE o.id = $1;

-- name: find_external
-- The orders that a (channel, external id) became: one per seller.
SELECT id, purchase_id, fingerprint, part FROM orders
WHERE marketplace_id = $1 AND channel = $2 AND external_id = $3
ORDER BY part;

-- name: due_orders
-- Orders whose time has come. Locked ones are somebody's at this moment and come again with the next look.
SELECT id, marketplace_id FROM orders
WHERE timer_at <= $1
ORDER BY timer_at LIMIT $2;

-- name: lock_due_order
SELECT o.doc, o.chain, o.lifecycle, o.lifecycle_version, o.timer_at, m.settings, c.config AS channel
FROM orders AS o
LEFT JOIN marketplace AS m ON m.marketplace_id = o.marketplace_id
LEFT JOIN channel AS c ON c.marketplace_id = o.marketplace_id AND c.name = o.channel
WHERE o.id = $1 AND o.timer_at <= $2
FOR UPDATE OF o SKIP LOCKED;

-- name: book_payment
-- Nothing where it is booked already.
INSERT INTO payment (marketplace_id, kind, identity, order_ids, amount_minor, settled_at)
VALUES ($1, $2, $3, $4::uuid[], $5, $6)
ON CONFLICT DO NOTHING
RETURNING identity;

-- name: booked_payment
SELECT order_ids, amount_minor FROM payment WHERE marketplace_id = $1 AND kind = $2 AND identity = $3;

-- name: keep_messages
INSERT INTO message (marketplace_id, id, order_id, posted_at, audience, told)
SELECT u.marketplace_id, u.id, u.order_id, u.posted_at, u.audience::text[], u.told
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::json[])
    AS u (marketplace_id, id, order_id, posted_at, audience, told)
ON CONFLICT DO NOTHING;

-- name: messages_of
SELECT told FROM message
WHERE order_id = $1 AND $2 = ANY (audience)
ORDER BY posted_at, id LIMIT $3;

-- name: seller_balance
-- Over one seller's orders for which money came in (see the view).
SELECT currency, count(*) AS orders, sum(paid) AS paid, sum(refunded) AS refunded, sum(commission) AS commission,
       coalesce(sum(earned) FILTER (WHERE NOT keeps AND phase <> 'completed'), 0) AS pending,
       sum(held) AS held,
       coalesce(sum(earned) FILTER (WHERE NOT keeps AND phase = 'completed'), 0) AS available
FROM order_earning
WHERE marketplace_id = $1 AND seller_org = $2
GROUP BY currency
ORDER BY currency;

-- name: held_orders
-- One seller's orders of which money is held, newest first; $3 and $4 the cursor, $5 rows.
SELECT id, placed_at, currency, phase, issue, money, card, paid, refunded, excess, held
FROM order_earning
WHERE marketplace_id = $1 AND seller_org = $2 AND held <> 0
  AND ($3::timestamptz IS NULL OR (placed_at, id) < ($3, $4::uuid))
ORDER BY placed_at DESC, id DESC LIMIT $5;

-- name: set_timer
UPDATE orders SET timer_at = $2 WHERE id = $1;

-- name: free_units_of
SELECT listing_id, id, code FROM listing_unit
WHERE listing_id = ANY ($1::uuid[]) AND state = 'free'
ORDER BY code LIMIT 1000;

-- name: take_units
UPDATE listing_unit SET state = 'taken', order_id = $2, line_id = $3
WHERE id = ANY ($1::uuid[]) AND state = 'free'
RETURNING id;

-- name: give_back_units
UPDATE listing_unit SET state = 'free', order_id = NULL, line_id = NULL
WHERE id = ANY ($1::uuid[]) AND order_id = $2;

-- name: relocate
WITH noted AS (
    INSERT INTO relocation (marketplace_id, id, order_id, line_id, listing_id, quantity, unit_ids, organisation_id,
                            location, moved_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7::uuid[], $8, $9, $10)
)
UPDATE listing_unit SET organisation_id = $8, location = $9
WHERE id = ANY ($7::uuid[]) AND order_id = $3;

-- name: read_timeline
SELECT sequence, event_id, entry FROM timeline
WHERE order_id = $1 AND $2 = ANY (audience) AND sequence > $3
ORDER BY sequence LIMIT $4;

-- name: timeline_chain
SELECT t.order_id, t.sequence, t.occurred_at, t.event_id, t.audience, t.entry, t.hash
FROM timeline AS t
WHERE t.order_id = ANY ($1::uuid[])
ORDER BY t.order_id, t.sequence;

-- name: orders_to_verify
SELECT id, number, sequence, status, chain FROM orders
WHERE ($1::uuid IS NULL OR marketplace_id = $1) AND id > $2
ORDER BY id LIMIT $3;

-- name: order_by_number
SELECT id FROM orders WHERE marketplace_id = $1 AND number = $2;

-- name: lifecycle_latest
SELECT name, version, digest, builtin FROM lifecycle
WHERE marketplace_id = $1 AND name = $2
ORDER BY version DESC LIMIT 1;

-- name: lifecycle_text
SELECT text FROM lifecycle WHERE marketplace_id = $1 AND name = $2 AND version = $3;

-- name: lifecycle_list
SELECT DISTINCT ON (name) name, version, digest, builtin, added_by, added_at FROM lifecycle
WHERE marketplace_id = $1
ORDER BY name, version DESC;

-- name: add_lifecycle
INSERT INTO lifecycle (marketplace_id, name, version, digest, text, builtin, added_by, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING version;

-- name: marketplace
SELECT * FROM marketplace WHERE marketplace_id = $1;

-- name: channels
SELECT name, version, config, updated_at FROM channel WHERE marketplace_id = $1 ORDER BY name;

-- name: lock_channel
SELECT name, version, config, updated_at FROM channel WHERE marketplace_id = $1 AND name = $2 FOR UPDATE;

-- name: put_channel
INSERT INTO channel (marketplace_id, name, version, config, updated_at)
VALUES ($1, $2, 1, $3, $4)
ON CONFLICT (marketplace_id, name)
DO UPDATE SET version = channel.version + 1, config = excluded.config, updated_at = excluded.updated_at
RETURNING name, version, config, updated_at;

-- name: organisations_by_alias
SELECT a.alias, o.id, o.slug, o.name, o.kind FROM organisation_alias AS a
JOIN organisation AS o ON o.id = a.organisation_id
WHERE a.marketplace_id = $1 AND a.alias = ANY ($2::text[]);

-- name: organisation
SELECT * FROM organisation WHERE id = $1;

-- name: put_marketplaces
INSERT INTO marketplace AS m (marketplace_id, slug, name, currency, time_zone, lifecycle, settings, as_of)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
                     $8::timestamptz[])
ON CONFLICT (marketplace_id) DO UPDATE
SET slug = excluded.slug, name = excluded.name, currency = excluded.currency, time_zone = excluded.time_zone,
    lifecycle = excluded.lifecycle, settings = excluded.settings, as_of = excluded.as_of
WHERE m.as_of <= excluded.as_of;

-- name: put_organisations
INSERT INTO organisation AS o (marketplace_id, id, slug, name, kind, time_zone, location, external_ids,
                               commission_rate, as_of)
SELECT u.marketplace_id, u.id, u.slug, u.name, u.kind, u.time_zone, u.location,
       ARRAY(SELECT jsonb_array_elements_text(u.external_ids)), u.commission_rate, u.as_of
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
            $9::numeric[], $10::timestamptz[])
    AS u (marketplace_id, id, slug, name, kind, time_zone, location, external_ids, commission_rate, as_of)
ON CONFLICT (id) DO UPDATE
SET slug = excluded.slug, name = excluded.name, kind = excluded.kind, time_zone = excluded.time_zone,
    location = excluded.location, external_ids = excluded.external_ids, commission_rate = excluded.commission_rate,
    as_of = excluded.as_of
WHERE o.as_of <= excluded.as_of;

-- name: forget_aliases
-- Names that an organisation no longer has.
DELETE FROM organisation_alias AS a USING organisation AS o
WHERE a.organisation_id = ANY ($1::uuid[]) AND o.id = a.organisation_id
  AND a.alias <> ALL (o.external_ids || ARRAY[o.id::text, o.slug]);

-- name: put_aliases
INSERT INTO organisation_alias (marketplace_id, alias, organisation_id)
SELECT DISTINCT o.marketplace_id, n.alias, o.id
FROM organisation AS o, unnest(o.external_ids || ARRAY[o.id::text, o.slug]) AS n (alias)
WHERE o.id = ANY ($1::uuid[])
ON CONFLICT DO NOTHING;

-- name: put_members
INSERT INTO member AS m (marketplace_id, person_id, version, organisation_id, email, name, roles, active, limit_minor,
                         limit_currency)
SELECT u.marketplace_id, u.person_id, u.version, u.organisation_id, u.email, u.name,
       ARRAY(SELECT jsonb_array_elements_text(u.roles)), u.active, u.limit_minor, u.limit_currency
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[], $8::boolean[],
            $9::bigint[], $10::text[])
    AS u (marketplace_id, person_id, version, organisation_id, email, name, roles, active, limit_minor, limit_currency)
ON CONFLICT (person_id) DO UPDATE
SET version = excluded.version, organisation_id = excluded.organisation_id, email = excluded.email,
    name = excluded.name, roles = excluded.roles, active = excluded.active, limit_minor = excluded.limit_minor,
    limit_currency = excluded.limit_currency
WHERE m.version < excluded.version;

-- name: document_names
SELECT id, kind, file_name, media_type, bytes, sha256, side, added_at FROM document
WHERE order_id = $1 AND id = ANY ($2::uuid[]);

-- name: count_documents
SELECT count(*) FROM document WHERE order_id = $1 AND side = $2;

-- name: add_document
INSERT INTO document (marketplace_id, id, order_id, kind, file_name, media_type, bytes, sha256, side, added_at,
                      added_by, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: read_document
SELECT id, order_id, kind, file_name, media_type, bytes, sha256, side, added_by, content FROM document
WHERE order_id = $1 AND id = $2;

-- name: settle_uploads
-- Of files from before $1 those that their order has are kept, and the others forgotten; at most $2 are looked at. The
-- orders are locked, so that no action attaches one meanwhile. What belongs to an order that somebody has locked comes again.
WITH loose AS MATERIALIZED (
    SELECT id, order_id FROM document WHERE NOT kept AND added_at < $1 ORDER BY added_at LIMIT $2
), held AS MATERIALIZED (
    SELECT o.id, o.doc::text AS doc FROM orders AS o
    WHERE o.id IN (SELECT l.order_id FROM loose AS l) ORDER BY o.id FOR UPDATE SKIP LOCKED
), settled AS MATERIALIZED (
    SELECT l.id, strpos(h.doc, l.id::text) > 0 AS attached FROM loose AS l JOIN held AS h ON h.id = l.order_id
), attached AS (
    UPDATE document AS d SET kept = true FROM settled AS s WHERE s.attached AND d.id = s.id
), forgotten AS (
    DELETE FROM document AS d USING settled AS s WHERE NOT s.attached AND d.id = s.id
)
SELECT count(*) FROM settled;
