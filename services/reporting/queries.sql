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
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_told,
    seller_knows, accepted, due, late, issue, completed_at, completed_day
FROM order_fact WHERE generation = $1 AND order_id = ANY ($2::uuid[]) ORDER BY order_id FOR UPDATE;

-- name: insert_facts
-- Of two transactions that meet an order for the first time, the second waits here and fails: it is done again then.
INSERT INTO order_fact (
    generation,
    order_id, marketplace_id, sequence, number, lifecycle, status, phase, cancel_kind, placed_at, placed_day,
    channel, currency, seller_organisation_id, buyer_organisation_id, total_minor, paid_minor, refunded_minor,
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_told,
    seller_knows, accepted, due, late, issue, completed_at, completed_day
)
SELECT $1::int, b.* FROM unnest(
    $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::date[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
    $24::text[], $25::boolean[], $26::boolean[], $27::boolean[], $28::boolean[], $29::boolean[], $30::boolean[],
    $31::timestamptz[], $32::date[]
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
    seller_told = b.seller_told, seller_knows = b.seller_knows, accepted = b.accepted, due = b.due, late = b.late,
    issue = b.issue, completed_at = b.completed_at, completed_day = b.completed_day
FROM unnest(
    $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::date[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
    $24::text[], $25::boolean[], $26::boolean[], $27::boolean[], $28::boolean[], $29::boolean[], $30::boolean[],
    $31::timestamptz[], $32::date[]
) AS b (
    order_id, marketplace_id, sequence, number, lifecycle, status, phase, cancel_kind, placed_at, placed_day,
    channel, currency, seller_organisation_id, buyer_organisation_id, total_minor, paid_minor, refunded_minor,
    commission_minor, commission_reversed_minor, saved_grams, saved_co2e_grams, saved_minor, factors, seller_told,
    seller_knows, accepted, due, late, issue, completed_at, completed_day
)
WHERE f.generation = $1 AND f.order_id = b.order_id;

-- name: add_movements
INSERT INTO order_movement (generation, order_id, sequence, marketplace_id, occurred_at, day, status, phase,
                            enters_status, enters_phase, seller_told, total_minor, paid_minor, refunded_minor,
                            commission_minor, commission_reversed_minor)
SELECT $1::int, b.* FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::timestamptz[], $6::date[], $7::text[],
                                $8::text[], $9::boolean[], $10::boolean[], $11::boolean[], $12::bigint[], $13::bigint[],
                                $14::bigint[], $15::bigint[], $16::bigint[]) AS b;

-- name: movements
SELECT order_id, sequence, marketplace_id, occurred_at, day, status, phase, enters_status, enters_phase, seller_told,
       total_minor, paid_minor, refunded_minor, commission_minor, commission_reversed_minor
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

-- name: one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: time_zone
SELECT zone FROM marketplace WHERE marketplace_id = $1;

-- name: report_statuses
-- $3 is the interval: the rows of a month, or of the whole period, stand under its first day.
SELECT CASE $3::text WHEN 'day' THEN d.day WHEN 'month' THEN greatest(date_trunc('month', d.day)::date, $4)
                     ELSE $4 END AS day,
       d.currency, d.lifecycle, d.status, d.phase, sum(d.orders)::bigint AS orders,
       sum(d.value_minor)::bigint AS value_minor, sum(d.paid_minor)::bigint AS paid_minor,
       sum(d.refunded_minor)::bigint AS refunded_minor, sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor
FROM status_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = $2 AND d.day BETWEEN $4::date AND $5::date
GROUP BY 1, 2, 3, 4, 5
HAVING sum(d.orders) <> 0 OR sum(d.value_minor) <> 0 OR sum(d.paid_minor) <> 0 OR sum(d.refunded_minor) <> 0
    OR sum(d.commission_minor) <> 0 OR sum(d.commission_reversed_minor) <> 0
ORDER BY 1, 2, 3, 5, 4 LIMIT $6;

-- name: report_statuses_of_seller
-- One seller's orders by status come from its facts: day x seller x status is no roll-up, it would have too many rows.
-- By event date, from the events that it was told of alone.
WITH own AS (
    SELECT * FROM order_fact
    WHERE marketplace_id = $1 AND generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
      AND seller_organisation_id = $7 AND seller_knows
), happened AS (
    SELECT v.order_id, v.day, v.status, v.phase, v.enters_status, v.total_minor,
           v.paid_minor - lag(v.paid_minor, 1, 0::bigint) OVER w AS paid_minor,
           v.refunded_minor - lag(v.refunded_minor, 1, 0::bigint) OVER w AS refunded_minor,
           v.commission_minor - lag(v.commission_minor, 1, 0::bigint) OVER w AS commission_minor,
           v.commission_reversed_minor - lag(v.commission_reversed_minor, 1, 0::bigint) OVER w
               AS commission_reversed_minor
    FROM order_movement v
    WHERE $2 = 'event' AND v.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
      AND v.order_id IN (SELECT order_id FROM own) AND v.seller_told
    WINDOW w AS (PARTITION BY v.order_id ORDER BY v.sequence)
), d AS (
    SELECT placed_day AS day, currency, lifecycle, status, phase, 1 AS orders, total_minor AS value_minor, paid_minor,
           refunded_minor, commission_minor, commission_reversed_minor
    FROM own WHERE $2 = 'placed' AND placed_day BETWEEN $4::date AND $5::date
    UNION ALL
    SELECT h.day, own.currency, own.lifecycle, h.status, h.phase, h.enters_status::int,
           CASE WHEN h.enters_status THEN h.total_minor ELSE 0 END, h.paid_minor, h.refunded_minor,
           h.commission_minor, h.commission_reversed_minor
    FROM happened h JOIN own ON own.order_id = h.order_id WHERE h.day BETWEEN $4::date AND $5::date
)
SELECT CASE $3::text WHEN 'day' THEN d.day WHEN 'month' THEN greatest(date_trunc('month', d.day)::date, $4)
                     ELSE $4 END AS day,
       d.currency, d.lifecycle, d.status, d.phase, sum(d.orders)::bigint AS orders,
       sum(d.value_minor)::bigint AS value_minor, sum(d.paid_minor)::bigint AS paid_minor,
       sum(d.refunded_minor)::bigint AS refunded_minor, sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor
FROM d GROUP BY 1, 2, 3, 4, 5
HAVING sum(d.orders) <> 0 OR sum(d.value_minor) <> 0 OR sum(d.paid_minor) <> 0 OR sum(d.refunded_minor) <> 0
    OR sum(d.commission_minor) <> 0 OR sum(d.commission_reversed_minor) <> 0
ORDER BY 1, 2, 3, 5, 4 LIMIT $6;

-- name: report_totals
SELECT d.currency,
       sum(d.approval)::bigint AS approval, sum(d.pending)::bigint AS pending,
       sum(d.preparing)::bigint AS preparing, sum(d.in_transit)::bigint AS in_transit,
       sum(d.completed)::bigint AS completed, sum(d.canceled)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor, sum(d.accepted)::bigint AS accepted,
       sum(d.rejected)::bigint AS rejected, sum(d.due)::bigint AS due, sum(d.late)::bigint AS late,
       sum(d.issues)::bigint AS issues, sum(d.paid_orders)::bigint AS paid_orders,
       sum(d.refunded_orders)::bigint AS refunded_orders
FROM channel_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = $2 AND d.day BETWEEN $3::date AND $4::date
GROUP BY d.currency ORDER BY d.currency;

-- name: report_channels
SELECT d.channel, d.currency,
       sum(d.approval)::bigint AS approval, sum(d.pending)::bigint AS pending,
       sum(d.preparing)::bigint AS preparing, sum(d.in_transit)::bigint AS in_transit,
       sum(d.completed)::bigint AS completed, sum(d.canceled)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor, sum(d.accepted)::bigint AS accepted,
       sum(d.rejected)::bigint AS rejected, sum(d.due)::bigint AS due, sum(d.late)::bigint AS late,
       sum(d.issues)::bigint AS issues, sum(d.paid_orders)::bigint AS paid_orders,
       sum(d.refunded_orders)::bigint AS refunded_orders
FROM channel_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = $2 AND d.day BETWEEN $3::date AND $4::date
GROUP BY d.channel, d.currency ORDER BY d.channel, d.currency LIMIT $5;

-- name: report_channels_of_seller
-- As with statuses, one seller's channels come from its facts: day x seller x channel is no roll-up.
WITH own AS (
    SELECT * FROM order_fact
    WHERE marketplace_id = $1 AND generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
      AND seller_organisation_id = $6 AND seller_knows
), happened AS (
    SELECT v.order_id, v.day, v.phase, v.enters_phase::int AS entries,
           v.total_minor - lag(v.total_minor, 1, 0::bigint) OVER w AS gross_minor,
           CASE WHEN v.phase = 'canceled' THEN v.total_minor ELSE 0 END
               - lag(CASE WHEN v.phase = 'canceled' THEN v.total_minor ELSE 0 END, 1, 0::bigint) OVER w
               AS canceled_minor,
           v.paid_minor - lag(v.paid_minor, 1, 0::bigint) OVER w AS paid_minor,
           v.refunded_minor - lag(v.refunded_minor, 1, 0::bigint) OVER w AS refunded_minor,
           v.commission_minor - lag(v.commission_minor, 1, 0::bigint) OVER w AS commission_minor,
           v.commission_reversed_minor - lag(v.commission_reversed_minor, 1, 0::bigint) OVER w
               AS commission_reversed_minor
    FROM order_movement v
    WHERE $2 = 'event' AND v.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
      AND v.order_id IN (SELECT order_id FROM own) AND v.seller_told
    WINDOW w AS (PARTITION BY v.order_id ORDER BY v.sequence)
), d AS (
    SELECT channel, currency, phase, 1 AS entries, total_minor AS gross_minor,
           CASE WHEN phase = 'canceled' THEN total_minor ELSE 0 END AS canceled_minor, paid_minor, refunded_minor,
           commission_minor, commission_reversed_minor
    FROM own WHERE $2 = 'placed' AND placed_day BETWEEN $3::date AND $4::date
    UNION ALL
    SELECT own.channel, own.currency, h.phase, h.entries, h.gross_minor, h.canceled_minor, h.paid_minor,
           h.refunded_minor, h.commission_minor, h.commission_reversed_minor
    FROM happened h JOIN own ON own.order_id = h.order_id WHERE h.day BETWEEN $3::date AND $4::date
)
SELECT d.channel, d.currency,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'approval'), 0)::bigint AS approval,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'pending'), 0)::bigint AS pending,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'preparing'), 0)::bigint AS preparing,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'in_transit'), 0)::bigint AS in_transit,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'completed'), 0)::bigint AS completed,
       coalesce(sum(d.entries) FILTER (WHERE d.phase = 'canceled'), 0)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor
FROM d GROUP BY d.channel, d.currency ORDER BY d.channel, d.currency LIMIT $5;

-- name: report_totals_of_seller
SELECT d.currency,
       sum(d.approval)::bigint AS approval, sum(d.pending)::bigint AS pending,
       sum(d.preparing)::bigint AS preparing, sum(d.in_transit)::bigint AS in_transit,
       sum(d.completed)::bigint AS completed, sum(d.canceled)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor, sum(d.accepted)::bigint AS accepted,
       sum(d.rejected)::bigint AS rejected, sum(d.due)::bigint AS due, sum(d.late)::bigint AS late,
       sum(d.issues)::bigint AS issues, sum(d.paid_orders)::bigint AS paid_orders,
       sum(d.refunded_orders)::bigint AS refunded_orders
FROM seller_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = $2 AND d.day BETWEEN $3::date AND $4::date AND d.seller_organisation_id = $5
GROUP BY d.currency ORDER BY d.currency;

-- name: sellers_placed
SELECT d.seller_organisation_id,
       sum(d.approval)::bigint AS approval, sum(d.pending)::bigint AS pending,
       sum(d.preparing)::bigint AS preparing, sum(d.in_transit)::bigint AS in_transit,
       sum(d.completed)::bigint AS completed, sum(d.canceled)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor, sum(d.accepted)::bigint AS accepted,
       sum(d.rejected)::bigint AS rejected, sum(d.due)::bigint AS due, sum(d.late)::bigint AS late,
       sum(d.issues)::bigint AS issues, sum(d.paid_orders)::bigint AS paid_orders,
       sum(d.refunded_orders)::bigint AS refunded_orders
FROM seller_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = 'placed' AND d.day BETWEEN $2::date AND $3::date
  AND d.seller_organisation_id = ANY ($4::uuid[])
GROUP BY d.seller_organisation_id;

-- name: report_sellers
-- $5 one seller or null for all; $6 to $8 the cursor; $9 rows.
SELECT s.*, coalesce(o.name, '') AS seller_name FROM (
SELECT d.seller_organisation_id, d.currency,
       sum(d.approval)::bigint AS approval, sum(d.pending)::bigint AS pending,
       sum(d.preparing)::bigint AS preparing, sum(d.in_transit)::bigint AS in_transit,
       sum(d.completed)::bigint AS completed, sum(d.canceled)::bigint AS canceled,
       sum(d.gross_minor)::bigint AS gross_minor, sum(d.canceled_minor)::bigint AS canceled_minor,
       sum(d.paid_minor)::bigint AS paid_minor, sum(d.refunded_minor)::bigint AS refunded_minor,
       sum(d.commission_minor)::bigint AS commission_minor,
       sum(d.commission_reversed_minor)::bigint AS commission_reversed_minor, sum(d.accepted)::bigint AS accepted,
       sum(d.rejected)::bigint AS rejected, sum(d.due)::bigint AS due, sum(d.late)::bigint AS late,
       sum(d.issues)::bigint AS issues, sum(d.paid_orders)::bigint AS paid_orders,
       sum(d.refunded_orders)::bigint AS refunded_orders
FROM seller_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.clock = $2 AND d.day BETWEEN $3::date AND $4::date
  AND ($5::uuid IS NULL OR d.seller_organisation_id = $5)
GROUP BY d.seller_organisation_id, d.currency
) AS s LEFT JOIN organisation o ON o.organisation_id = s.seller_organisation_id
WHERE $6::bigint IS NULL OR (-s.gross_minor, s.seller_organisation_id, s.currency) > (-$6::bigint, $7::uuid, $8::text)
ORDER BY -s.gross_minor, s.seller_organisation_id, s.currency LIMIT $9;

-- name: report_replies
-- $4 the sellers, or null for the whole marketplace as one.
SELECT CASE WHEN $4::uuid[] IS NOT NULL THEN d.seller_organisation_id END AS seller_organisation_id, d.first,
       sum(d.replies)::bigint AS replies, sum(d.elapsed_seconds)::bigint AS elapsed_seconds,
       sum(d.business_seconds)::bigint AS business_seconds, sum(d.within_1h)::bigint AS within_1h,
       sum(d.within_4h)::bigint AS within_4h, sum(d.within_8h)::bigint AS within_8h,
       sum(d.within_24h)::bigint AS within_24h
FROM reply_day d
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.day BETWEEN $2::date AND $3::date AND ($4::uuid[] IS NULL OR d.seller_organisation_id = ANY ($4))
GROUP BY 1, 2;

-- name: report_savings
-- $4 one organisation or null for all; $5 is side or organisation. By side, each order of the marketplace is told once,
-- by its seller's or internal row; by organisation, for both.
SELECT CASE WHEN $5::text = 'organisation' OR $4::uuid IS NOT NULL THEN d.organisation_id END AS organisation_id,
       CASE WHEN $5::text = 'organisation' OR $4::uuid IS NOT NULL THEN coalesce(o.name, '') END AS organisation_name,
       d.side, d.currency, d.factors, sum(d.orders)::bigint AS orders, sum(d.grams)::bigint AS grams,
       sum(d.co2e_grams)::bigint AS co2e_grams, sum(d.value_minor)::bigint AS value_minor
FROM saving_day d LEFT JOIN organisation o ON o.organisation_id = d.organisation_id
WHERE d.marketplace_id = $1 AND d.generation = (SELECT generation FROM marketplace WHERE marketplace_id = $1)
  AND d.day BETWEEN $2::date AND $3::date
  AND CASE WHEN $4::uuid IS NOT NULL THEN d.organisation_id = $4 ELSE $5::text = 'organisation' OR d.side <> 'buyer' END
GROUP BY 1, 2, d.side, d.currency, d.factors HAVING sum(d.orders) <> 0
ORDER BY 2, 1, d.side, d.currency, d.factors LIMIT $6;
