-- Reports. Facts hold what the newest snapshot of an order says; roll-ups hold sums of what facts contribute. The
-- handlers add differences to the roll-ups; the views at the end say the same figures a second way, from the facts
-- alone: with them the roll-ups are reconciled, and made anew after a change of time zone.
--
-- Every row of facts and roll-ups carries a generation. Readers use the marketplace's own; a rebuild fills the next
-- one beside it while reports are served, and the swap is one UPDATE of the marketplace's row.

CREATE TABLE marketplace (
    marketplace_id uuid PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    -- the zone that decides a day in the figures, and the one that identity wants: they differ until the
    -- roll-ups have been computed again
    zone text NOT NULL DEFAULT 'UTC',
    wanted_zone text NOT NULL DEFAULT 'UTC',
    settings jsonb NOT NULL DEFAULT '{}',
    as_of timestamptz NOT NULL DEFAULT '-infinity',
    generation int NOT NULL DEFAULT 1,
    building int CHECK (building > generation)
);
SELECT protect('marketplace');

CREATE TABLE organisation (
    organisation_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    name text NOT NULL,
    time_zone text,
    as_of timestamptz NOT NULL DEFAULT '-infinity'
);
SELECT protect('organisation');

-- One row per order: the snapshot with the highest sequence, and what any of its events has ever said (flags).
CREATE TABLE order_fact (
    generation int NOT NULL,
    order_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    number text NOT NULL,
    lifecycle text NOT NULL,
    status text NOT NULL,
    phase text NOT NULL,
    cancel_kind text,
    placed_at timestamptz NOT NULL,
    placed_day date NOT NULL,  -- days are in the marketplace's zone
    channel text NOT NULL,
    currency text NOT NULL,
    seller_organisation_id uuid NOT NULL,
    buyer_organisation_id uuid NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    commission_reversed_minor bigint NOT NULL,
    -- reuse: what the received goods weigh, stand for and cost, less what was refunded
    saved_grams bigint NOT NULL,
    saved_co2e_grams bigint NOT NULL,
    saved_minor bigint NOT NULL,
    factors text NOT NULL,
    -- once true, always true
    seller_knows boolean NOT NULL,
    accepted boolean NOT NULL,
    due boolean NOT NULL,
    late boolean NOT NULL,
    issue boolean NOT NULL,
    completed_at timestamptz,
    completed_day date,
    PRIMARY KEY (generation, order_id)
) WITH (fillfactor = 80);
CREATE INDEX order_fact_seller ON order_fact (marketplace_id, generation, seller_organisation_id, placed_day);
SELECT protect('order_fact');

-- One row per event of an order: the amounts as they were after it. By event date, a day's money is the
-- difference from the event before, so that all days of an order add up to what its newest snapshot says.
CREATE TABLE order_movement (
    generation int NOT NULL,
    order_id uuid NOT NULL,
    sequence bigint NOT NULL,
    marketplace_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    day date NOT NULL,
    status text NOT NULL,
    phase text NOT NULL,
    enters_status boolean NOT NULL,
    enters_phase boolean NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    commission_reversed_minor bigint NOT NULL,
    PRIMARY KEY (generation, order_id, sequence)
);
CREATE INDEX order_movement_marketplace ON order_movement (marketplace_id, generation);
SELECT protect('order_movement');

-- clock 'placed': by the day on which the order was placed, as it stands now.
-- clock 'event': by the day on which it happened. orders: entries into the status; value: their totals then.
CREATE TABLE status_day (
    marketplace_id uuid NOT NULL,
    generation int NOT NULL,
    clock text NOT NULL CHECK (clock IN ('placed', 'event')),
    day date NOT NULL,
    currency text NOT NULL,
    lifecycle text NOT NULL,
    status text NOT NULL,
    phase text NOT NULL,
    orders bigint NOT NULL,
    value_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    commission_reversed_minor bigint NOT NULL,
    PRIMARY KEY (marketplace_id, generation, clock, day, currency, lifecycle, status, phase)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
SELECT protect('status_day');

CREATE TABLE channel_day (
    marketplace_id uuid NOT NULL,
    generation int NOT NULL,
    clock text NOT NULL CHECK (clock IN ('placed', 'event')),
    day date NOT NULL,
    currency text NOT NULL,
    channel text NOT NULL,
    approval bigint NOT NULL,
    pending bigint NOT NULL,
    preparing bigint NOT NULL,
    in_transit bigint NOT NULL,
    completed bigint NOT NULL,
    canceled bigint NOT NULL,
    gross_minor bigint NOT NULL,
    canceled_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    commission_reversed_minor bigint NOT NULL,
    -- of the orders placed on the day; zero by event date
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    due bigint NOT NULL,
    late bigint NOT NULL,
    issues bigint NOT NULL,
    paid_orders bigint NOT NULL,
    refunded_orders bigint NOT NULL,
    PRIMARY KEY (marketplace_id, generation, clock, day, currency, channel)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
SELECT protect('channel_day');

-- Only orders that the seller may know of.
CREATE TABLE seller_day (
    marketplace_id uuid NOT NULL,
    generation int NOT NULL,
    clock text NOT NULL CHECK (clock IN ('placed', 'event')),
    day date NOT NULL,
    seller_organisation_id uuid NOT NULL,
    currency text NOT NULL,
    approval bigint NOT NULL,
    pending bigint NOT NULL,
    preparing bigint NOT NULL,
    in_transit bigint NOT NULL,
    completed bigint NOT NULL,
    canceled bigint NOT NULL,
    gross_minor bigint NOT NULL,
    canceled_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    commission_reversed_minor bigint NOT NULL,
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    due bigint NOT NULL,
    late bigint NOT NULL,
    issues bigint NOT NULL,
    paid_orders bigint NOT NULL,
    refunded_orders bigint NOT NULL,
    PRIMARY KEY (marketplace_id, generation, clock, day, seller_organisation_id, currency)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX seller_day_seller ON seller_day (marketplace_id, seller_organisation_id, generation, clock, day);
SELECT protect('seller_day');

-- side 'internal': buyer and seller are one organisation; then it has this one row. Day of receipt.
CREATE TABLE saving_day (
    marketplace_id uuid NOT NULL,
    generation int NOT NULL,
    day date NOT NULL,
    organisation_id uuid NOT NULL,
    side text NOT NULL CHECK (side IN ('buyer', 'seller', 'internal')),
    currency text NOT NULL,
    factors text NOT NULL,
    orders bigint NOT NULL,
    grams bigint NOT NULL,
    co2e_grams bigint NOT NULL,
    value_minor bigint NOT NULL,
    PRIMARY KEY (marketplace_id, generation, day, organisation_id, side, currency, factors)
) WITH (fillfactor = 70);
SELECT protect('saving_day');

-- Reply times. The clock of a thread runs from the first unanswered message of the buyer's side to the first
-- answer for the seller that a person wrote.
CREATE TABLE reply_clock (
    generation int NOT NULL,
    thread_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    seller_organisation_id uuid NOT NULL,
    last_seq bigint NOT NULL,
    asked_seq bigint,
    asked_at timestamptz,
    replies bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, thread_id)
);
CREATE INDEX reply_clock_marketplace ON reply_clock (marketplace_id, generation);
SELECT protect('reply_clock');

CREATE TABLE reply (
    generation int NOT NULL,
    thread_id uuid NOT NULL,
    asked_seq bigint NOT NULL,
    marketplace_id uuid NOT NULL,
    seller_organisation_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    replied_at timestamptz NOT NULL,
    day date NOT NULL,
    first boolean NOT NULL,
    elapsed_seconds bigint NOT NULL CHECK (elapsed_seconds >= 0),
    business_seconds bigint NOT NULL CHECK (business_seconds >= 0),
    PRIMARY KEY (generation, thread_id, asked_seq)
);
CREATE INDEX reply_marketplace ON reply (marketplace_id, generation);
SELECT protect('reply');

-- By the day of the answer. within_*: of the replies, how many took at most so many business hours.
CREATE TABLE reply_day (
    marketplace_id uuid NOT NULL,
    generation int NOT NULL,
    day date NOT NULL,
    seller_organisation_id uuid NOT NULL,
    first boolean NOT NULL,
    replies bigint NOT NULL,
    elapsed_seconds bigint NOT NULL,
    business_seconds bigint NOT NULL,
    within_1h bigint NOT NULL,
    within_4h bigint NOT NULL,
    within_8h bigint NOT NULL,
    within_24h bigint NOT NULL,
    PRIMARY KEY (marketplace_id, generation, day, seller_organisation_id, first)
) WITH (fillfactor = 70);
SELECT protect('reply_day');

-- What each order (clock placed) and each of its events (clock event) adds to the figures.
CREATE VIEW order_contribution WITH (security_invoker = true) AS
SELECT f.generation, f.order_id, f.marketplace_id, 'placed' AS clock, f.placed_day AS day,
       f.currency, f.lifecycle, f.status, f.phase, f.channel, f.seller_organisation_id, f.seller_knows,
       1 AS status_entries, 1 AS phase_entries, f.total_minor AS value_minor, f.total_minor AS gross_minor,
       CASE WHEN f.phase = 'canceled' THEN f.total_minor ELSE 0 END AS canceled_minor,
       f.paid_minor, f.refunded_minor, f.commission_minor, f.commission_reversed_minor,
       f.accepted::int AS accepted,
       (f.cancel_kind IS NOT DISTINCT FROM 'rejected' AND NOT f.accepted)::int AS rejected,
       f.due::int AS due, f.late::int AS late, f.issue::int AS issues,
       (f.paid_minor > 0)::int AS paid_orders, (f.refunded_minor > 0)::int AS refunded_orders
FROM order_fact f
UNION ALL
SELECT v.generation, v.order_id, v.marketplace_id, 'event', v.day,
       f.currency, f.lifecycle, v.status, v.phase, f.channel, f.seller_organisation_id, f.seller_knows,
       v.enters_status::int, v.enters_phase::int, CASE WHEN v.enters_status THEN v.total_minor ELSE 0 END,
       v.gross_minor, v.canceled_minor, v.paid_minor, v.refunded_minor, v.commission_minor,
       v.commission_reversed_minor, 0, 0, 0, 0, 0, 0, 0
FROM (
    SELECT generation, order_id, marketplace_id, day, status, phase, enters_status, enters_phase, total_minor,
           total_minor - lag(total_minor, 1, 0::bigint) OVER w AS gross_minor,
           CASE WHEN phase = 'canceled' THEN total_minor ELSE 0 END
               - lag(CASE WHEN phase = 'canceled' THEN total_minor ELSE 0 END, 1, 0::bigint) OVER w AS canceled_minor,
           paid_minor - lag(paid_minor, 1, 0::bigint) OVER w AS paid_minor,
           refunded_minor - lag(refunded_minor, 1, 0::bigint) OVER w AS refunded_minor,
           commission_minor - lag(commission_minor, 1, 0::bigint) OVER w AS commission_minor,
           commission_reversed_minor - lag(commission_reversed_minor, 1, 0::bigint) OVER w AS commission_reversed_minor
    FROM order_movement
    WINDOW w AS (PARTITION BY generation, order_id ORDER BY sequence)
) v
JOIN order_fact f ON f.generation = v.generation AND f.order_id = v.order_id;

CREATE VIEW saving_contribution WITH (security_invoker = true) AS
SELECT f.generation, f.order_id, f.marketplace_id, f.completed_day AS day,
       o.organisation_id, o.side, f.currency, f.factors,
       1 AS orders, f.saved_grams AS grams, f.saved_co2e_grams AS co2e_grams, f.saved_minor AS value_minor
FROM order_fact f
CROSS JOIN LATERAL (VALUES
    (f.seller_organisation_id, CASE WHEN f.seller_organisation_id = f.buyer_organisation_id THEN 'internal'
                                    ELSE 'seller' END),
    (CASE WHEN f.seller_organisation_id <> f.buyer_organisation_id THEN f.buyer_organisation_id END, 'buyer')
) AS o (organisation_id, side)
WHERE f.saved_grams <> 0 AND f.completed_day IS NOT NULL AND o.organisation_id IS NOT NULL;

CREATE VIEW reply_contribution WITH (security_invoker = true) AS
SELECT r.generation, r.thread_id, r.marketplace_id, r.day,
       r.seller_organisation_id, r.first, 1 AS replies, r.elapsed_seconds, r.business_seconds,
       (r.business_seconds <= 3600)::int AS within_1h, (r.business_seconds <= 14400)::int AS within_4h,
       (r.business_seconds <= 28800)::int AS within_8h, (r.business_seconds <= 86400)::int AS within_24h
FROM reply r;

-- What each roll-up must say, with its columns in its order: for computing it anew and for reconciling it.
CREATE VIEW status_day_computed WITH (security_invoker = true) AS
SELECT marketplace_id, generation, clock, day, currency, lifecycle, status, phase,
       sum(status_entries)::bigint AS orders, sum(value_minor)::bigint AS value_minor,
       sum(paid_minor)::bigint AS paid_minor, sum(refunded_minor)::bigint AS refunded_minor,
       sum(commission_minor)::bigint AS commission_minor,
       sum(commission_reversed_minor)::bigint AS commission_reversed_minor
FROM order_contribution
GROUP BY marketplace_id, generation, clock, day, currency, lifecycle, status, phase
HAVING sum(status_entries) <> 0 OR sum(value_minor) <> 0 OR sum(paid_minor) <> 0 OR sum(refunded_minor) <> 0
    OR sum(commission_minor) <> 0 OR sum(commission_reversed_minor) <> 0;

CREATE VIEW channel_day_computed WITH (security_invoker = true) AS
SELECT
    marketplace_id, generation, clock, day, currency, channel,
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
FROM order_contribution
GROUP BY marketplace_id, generation, clock, day, currency, channel
HAVING sum(phase_entries) <> 0 OR sum(gross_minor) <> 0 OR sum(canceled_minor) <> 0 OR sum(paid_minor) <> 0
    OR sum(refunded_minor) <> 0 OR sum(commission_minor) <> 0 OR sum(commission_reversed_minor) <> 0;

CREATE VIEW seller_day_computed WITH (security_invoker = true) AS
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
FROM order_contribution WHERE seller_knows
GROUP BY marketplace_id, generation, clock, day, seller_organisation_id, currency
HAVING sum(phase_entries) <> 0 OR sum(gross_minor) <> 0 OR sum(canceled_minor) <> 0 OR sum(paid_minor) <> 0
    OR sum(refunded_minor) <> 0 OR sum(commission_minor) <> 0 OR sum(commission_reversed_minor) <> 0;

CREATE VIEW saving_day_computed WITH (security_invoker = true) AS
SELECT marketplace_id, generation, day, organisation_id, side, currency, factors, sum(orders)::bigint AS orders,
       sum(grams)::bigint AS grams, sum(co2e_grams)::bigint AS co2e_grams, sum(value_minor)::bigint AS value_minor
FROM saving_contribution
GROUP BY marketplace_id, generation, day, organisation_id, side, currency, factors;

CREATE VIEW reply_day_computed WITH (security_invoker = true) AS
SELECT marketplace_id, generation, day, seller_organisation_id, first, sum(replies)::bigint AS replies,
       sum(elapsed_seconds)::bigint AS elapsed_seconds, sum(business_seconds)::bigint AS business_seconds,
       sum(within_1h)::bigint AS within_1h, sum(within_4h)::bigint AS within_4h,
       sum(within_8h)::bigint AS within_8h, sum(within_24h)::bigint AS within_24h
FROM reply_contribution
GROUP BY marketplace_id, generation, day, seller_organisation_id, first;

-- The worker alone computes with them.
DO $$ BEGIN
    EXECUTE format('GRANT SELECT ON order_contribution, saving_contribution, reply_contribution, status_day_computed, '
                   'channel_day_computed, seller_day_computed, saving_day_computed, reply_day_computed TO %I',
                   replace(current_user, '_owner', '') || '_worker');
END $$;
