-- Every settlement that was booked, by what names it at its source: told again under another event, it changes nothing.
CREATE TABLE payment (
    marketplace_id uuid NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    order_ids uuid[] NOT NULL,
    amount_minor bigint NOT NULL,
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (marketplace_id, kind, identity)
);
SELECT protect('payment', 'append_only');

-- What was said about an order, as message.posted tells it: communications are part of the evidence against a chargeback.
CREATE TABLE message (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    posted_at timestamptz NOT NULL,
    audience text[] NOT NULL,
    told json NOT NULL
);
CREATE INDEX message_order ON message (order_id, posted_at, id);
SELECT protect('message', 'append_only');
