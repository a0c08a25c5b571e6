-- Messages whose order has not been heard of yet: it travels on another topic. They are not parked, since the order's
-- own first event has the same key and would have to wait behind them.
CREATE TABLE awaited_order (
    event_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    order_id uuid NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX awaited_order_since ON awaited_order (since);
SELECT protect('awaited_order');
