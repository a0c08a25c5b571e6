-- name: marketplaces
-- Shared locks: a swap or a change of zone waits for the batches in flight, and the next batch sees it done.
SELECT marketplace_id, zone, settings, generation, building FROM marketplace
WHERE marketplace_id = ANY ($1::uuid[]) ORDER BY marketplace_id FOR SHARE;

-- name: add_marketplaces
INSERT INTO marketplace (marketplace_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING;

-- name: set_marketplaces
-- A marketplace's newest word wins; people's events carry it, so the time of the event decides.
INSERT INTO marketplace AS m (marketplace_id, name, wanted_zone, settings, as_of)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[])
ON CONFLICT (marketplace_id) DO UPDATE
SET name = excluded.name, wanted_zone = excluded.wanted_zone, settings = excluded.settings, as_of = excluded.as_of
WHERE excluded.as_of > m.as_of
  AND (m.name, m.wanted_zone, m.settings) IS DISTINCT FROM (excluded.name, excluded.wanted_zone, excluded.settings);

-- name: set_organisations
INSERT INTO organisation AS o (organisation_id, marketplace_id, name, time_zone, as_of)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (organisation_id) DO UPDATE
SET name = excluded.name, time_zone = excluded.time_zone, as_of = excluded.as_of
WHERE excluded.as_of > o.as_of AND (o.name, o.time_zone) IS DISTINCT FROM (excluded.name, excluded.time_zone);

-- name: add_organisations
-- Names as orders give them, until identity has spoken.
INSERT INTO organisation (organisation_id, marketplace_id, name)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) ON CONFLICT DO NOTHING;

-- name: organisation_zones
SELECT organisation_id, time_zone FROM organisation WHERE organisation_id = ANY ($1::uuid[]);

-- name: lock_facts
SELECT
    order_id, marketplace_id, sequence, number, lifecycle, status, phase, cancel_kind, placed_at, placed_day,
    channel, currency, seller_organisation_id, buyer_organisation_id, total_minor, paid_minor, refunded_minor,
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_knows,
    accepted, due, late, issue, completed_at, completed_day
FROM order_fact WHERE generation = $1 AND order_id = ANY ($2::uuid[]) ORDER BY order_id FOR UPDATE;

-- name: insert_facts
-- Of two transactions that meet an order for the first time, the second waits here and fails: it is done again then.
INSERT INTO order_fact (
    generation,
    order_id, marketplace_id, sequence, number, lifecycle, status, phase, cancel_kind, placed_at, placed_day,
    channel, currency, seller_organisation_id, buyer_organisation_id, total_minor, paid_minor, refunded_minor,
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_knows,
    accepted, due, late, issue, completed_at, completed_day
)
SELECT $1::int, b.* FROM unnest(
    $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::date[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
    $24::text[], $25::boolean[], $26::boolean[], $27::boolean[], $28::boolean[], $29::boolean[], $30::timestamptz[],
    $31::date[]
) AS b ORDER BY 2;

-- name: update_facts
UPDATE order_fact AS f SET
    sequence = b.sequence, number = b.number, lifecycle = b.lifecycle, status = b.status, phase = b.phase,
    cancel_kind = b.cancel_kind, placed_at = b.placed_at, placed_day = b.placed_day, channel = b.channel,
    currency = b.currency, seller_organisation_id = b.seller_organisation_id,
    buyer_organisation_id = b.buyer_organisation_id, total_minor = b.total_minor, paid_minor = b.paid_minor,
    refunded_minor = b.refunded_minor, commission_minor = b.commission_minor,
    commission_reversed_minor = b.commission_reversed_minor, saved_grams = b.saved_grams,
    saved_co2e_grams = b.saved_co2e_grams, saved_minor = b.saved_minor, factors = b.factors,
    seller_knows = b.seller_knows, accepted = b.accepted, due = b.due, late = b.late, issue = b.issue,
    completed_at = b.completed_at, completed_day = b.completed_day
FROM unnest(
    $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::date[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
    $24::text[], $25::boolean[], $26::boolean[], $27::boolean[], $28::boolean[], $29::boolean[], $30::timestamptz[],
    $31::date[]
) AS b (
    order_id, marketplace_id, sequence, number, lifecycle, status, phase, cancel_kind, placed_at, placed_day,
    channel, currency, seller_organisation_id, buyer_organisation_id, total_minor, paid_minor, refunded_minor,
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_knows,
    accepted, due, late, issue, completed_at, completed_day
)
WHERE f.generation = $1 AND f.order_id = b.order_id;

-- name: add_movements
INSERT INTO order_movement (generation, order_id, sequence, marketplace_id, occurred_at, day, status, phase,
                            enters_status, enters_phase, total_minor, paid_minor, refunded_minor, commission_minor,
                            commission_reversed_minor)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::timestamptz[], $6::date[], $7::text[],
                                $8::text[], $9::boolean[], $10::boolean[], $11::bigint[], $12::bigint[], $13::bigint[],
                                $14::bigint[], $15::bigint[]) AS b;

-- name: movements
SELECT order_id, sequence, marketplace_id, occurred_at, day, status, phase, enters_status, enters_phase, total_minor,
       paid_minor, refunded_minor, commission_minor, commission_reversed_minor
FROM order_movement WHERE generation = $1 AND order_id = ANY ($2::uuid[]) ORDER BY order_id, sequence;

-- name: lock_figures
-- One writer of roll-ups at a time: batches call several handlers in one transaction, so no order of keys alone
-- would keep two of them from waiting for each other. Held from the first roll-up to the commit.
SELECT pg_advisory_xact_lock($1);

-- name: add_status_day
INSERT INTO status_day AS d (generation, marketplace_id, clock, day, currency, lifecycle, status, phase, orders,
                             value_minor, paid_minor, refunded_minor, commission_minor, commission_reversed_minor)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::text[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[],
                                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                                $14::bigint[]) AS b
ON CONFLICT (marketplace_id, generation, clock, day, currency, lifecycle, status, phase) DO UPDATE
SET orders = d.orders + excluded.orders, value_minor = d.value_minor + excluded.value_minor,
    paid_minor = d.paid_minor + excluded.paid_minor, refunded_minor = d.refunded_minor + excluded.refunded_minor,
    commission_minor = d.commission_minor + excluded.commission_minor,
    commission_reversed_minor = d.commission_reversed_minor + excluded.commission_reversed_minor;

-- name: add_channel_day
INSERT INTO channel_day AS d (generation, marketplace_id, clock, day, currency, channel, approval, pending, preparing,
                              in_transit, completed, canceled, gross_minor, canceled_minor, paid_minor, refunded_minor,
                              commission_minor, commission_reversed_minor, accepted, rejected, due, late, issues,
                              paid_orders, refunded_orders)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::text[], $4::date[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
                                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                                $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
                                $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
                                $24::bigint[], $25::bigint[]) AS b
ON CONFLICT (marketplace_id, generation, clock, day, currency, channel) DO UPDATE
SET approval = d.approval + excluded.approval, pending = d.pending + excluded.pending,
    preparing = d.preparing + excluded.preparing, in_transit = d.in_transit + excluded.in_transit,
    completed = d.completed + excluded.completed, canceled = d.canceled + excluded.canceled,
    gross_minor = d.gross_minor + excluded.gross_minor, canceled_minor = d.canceled_minor + excluded.canceled_minor,
    paid_minor = d.paid_minor + excluded.paid_minor, refunded_minor = d.refunded_minor + excluded.refunded_minor,
    commission_minor = d.commission_minor + excluded.commission_minor,
    commission_reversed_minor = d.commission_reversed_minor + excluded.commission_reversed_minor,
    accepted = d.accepted + excluded.accepted, rejected = d.rejected + excluded.rejected, due = d.due + excluded.due,
    late = d.late + excluded.late, issues = d.issues + excluded.issues,
    paid_orders = d.paid_orders + excluded.paid_orders, refunded_orders = d.refunded_orders + excluded.refunded_orders;

-- name: add_seller_day
INSERT INTO seller_day AS d (generation, marketplace_id, clock, day, seller_organisation_id, currency, approval,
                             pending, preparing, in_transit, completed, canceled, gross_minor, canceled_minor,
                             paid_minor, refunded_minor, commission_minor, commission_reversed_minor, accepted,
                             rejected, due, late, issues, paid_orders, refunded_orders)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::text[], $4::date[], $5::uuid[], $6::text[], $7::bigint[], $8::bigint[],
                                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                                $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
                                $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
                                $24::bigint[], $25::bigint[]) AS b
ON CONFLICT (marketplace_id, generation, clock, day, seller_organisation_id, currency) DO UPDATE
SET approval = d.approval + excluded.approval, pending = d.pending + excluded.pending,
    preparing = d.preparing + excluded.preparing, in_transit = d.in_transit + excluded.in_transit,
    completed = d.completed + excluded.completed, canceled = d.canceled + excluded.canceled,
    gross_minor = d.gross_minor + excluded.gross_minor, canceled_minor = d.canceled_minor + excluded.canceled_minor,
    paid_minor = d.paid_minor + excluded.paid_minor, refunded_minor = d.refunded_minor + excluded.refunded_minor,
    commission_minor = d.commission_minor + excluded.commission_minor,
    commission_reversed_minor = d.commission_reversed_minor + excluded.commission_reversed_minor,
    accepted = d.accepted + excluded.accepted, rejected = d.rejected + excluded.rejected, due = d.due + excluded.due,
    late = d.late + excluded.late, issues = d.issues + excluded.issues,
    paid_orders = d.paid_orders + excluded.paid_orders, refunded_orders = d.refunded_orders + excluded.refunded_orders;

-- name: add_saving_day
INSERT INTO saving_day AS d (generation, marketplace_id, day, organisation_id, side, currency, factors, orders, grams,
                             co2e_grams, value_minor)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::date[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                                $9::bigint[], $10::bigint[], $11::bigint[]) AS b
ON CONFLICT (marketplace_id, generation, day, organisation_id, side, currency, factors) DO UPDATE
SET orders = d.orders + excluded.orders, grams = d.grams + excluded.grams,
    co2e_grams = d.co2e_grams + excluded.co2e_grams, value_minor = d.value_minor + excluded.value_minor;

-- name: claim_clocks
INSERT INTO reply_clock (generation, thread_id, marketplace_id, seller_organisation_id, last_seq)
SELECT $1::int, b.*, 0 FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS b (thread_id, marketplace_id, seller)
ORDER BY b.thread_id
ON CONFLICT DO NOTHING;

-- name: lock_clocks
SELECT thread_id, last_seq, asked_seq, asked_at, replies FROM reply_clock
WHERE generation = $1 AND thread_id = ANY ($2::uuid[]) ORDER BY thread_id FOR UPDATE;

-- name: set_clocks
UPDATE reply_clock AS c SET last_seq = b.last_seq, asked_seq = b.asked_seq, asked_at = b.asked_at, replies = b.replies
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[])
    AS b (thread_id, last_seq, asked_seq, asked_at, replies)
WHERE c.generation = $1 AND c.thread_id = b.thread_id;

-- name: add_replies
INSERT INTO reply (generation, thread_id, asked_seq, marketplace_id, seller_organisation_id, asked_at, replied_at, day,
                   first, elapsed_seconds, business_seconds)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::timestamptz[],
                                $8::date[], $9::boolean[], $10::bigint[], $11::bigint[]) AS b;

-- name: add_reply_day
INSERT INTO reply_day AS d (generation, marketplace_id, day, seller_organisation_id, first, replies, elapsed_seconds,
                            business_seconds, within_1h, within_4h, within_8h, within_24h)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::date[], $4::uuid[], $5::boolean[], $6::bigint[], $7::bigint[],
                                $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]) AS b
ON CONFLICT (marketplace_id, generation, day, seller_organisation_id, first) DO UPDATE
SET replies = d.replies + excluded.replies, elapsed_seconds = d.elapsed_seconds + excluded.elapsed_seconds,
    business_seconds = d.business_seconds + excluded.business_seconds, within_1h = d.within_1h + excluded.within_1h,
    within_4h = d.within_4h + excluded.within_4h, within_8h = d.within_8h + excluded.within_8h,
    within_24h = d.within_24h + excluded.within_24h;
