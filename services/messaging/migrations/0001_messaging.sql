-- Threads of orders. A thread comes into being with the first event of its order that the seller may know of.

CREATE TABLE marketplace (
    marketplace_id uuid PRIMARY KEY,
    name text NOT NULL,
    time_zone text NOT NULL,
    settings jsonb NOT NULL,
    as_of timestamptz NOT NULL
);
SELECT protect('marketplace');

CREATE TABLE member (
    person_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    organisation_kind text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    active boolean NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX member_organisation ON member (marketplace_id, organisation_id);
SELECT protect('member');

-- from_*: how many of the messages each side wrote. awaiting: the side whose answer is waited for, since when.
CREATE TABLE thread (
    thread_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('buyer_seller', 'seller_operator')),
    order_number text NOT NULL,
    order_sequence bigint NOT NULL,
    buyer_organisation_id uuid NOT NULL,
    buyer_name text NOT NULL,
    buyer_person_id uuid,
    seller_organisation_id uuid NOT NULL,
    seller_name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    last_posted_at timestamptz,
    from_buyer bigint NOT NULL DEFAULT 0,
    from_seller bigint NOT NULL DEFAULT 0,
    from_operator bigint NOT NULL DEFAULT 0,
    awaiting text CHECK (awaiting IN ('buyer', 'seller', 'operator')),
    awaiting_since timestamptz,
    UNIQUE (order_id, kind),
    CHECK (last_seq = from_buyer + from_seller + from_operator),
    CHECK ((last_seq = 0) = (last_posted_at IS NULL)),
    CHECK ((awaiting IS NULL) = (awaiting_since IS NULL))
) WITH (fillfactor = 80);
-- Most orders are never talked about: only threads with messages are listed and counted.
CREATE INDEX thread_marketplace ON thread (marketplace_id, last_posted_at DESC, thread_id DESC) WHERE last_seq > 0;
CREATE INDEX thread_seller ON thread (seller_organisation_id, last_posted_at DESC, thread_id DESC) WHERE last_seq > 0;
CREATE INDEX thread_buyer ON thread (buyer_organisation_id, last_posted_at DESC, thread_id DESC) WHERE last_seq > 0;
CREATE INDEX thread_buyer_person ON thread (buyer_person_id, last_posted_at DESC, thread_id DESC) WHERE last_seq > 0;
-- What an operator is asked for: its own conversations with sellers, and those that it has joined.
CREATE INDEX thread_operator ON thread (marketplace_id, last_posted_at DESC, thread_id DESC)
    WHERE last_seq > 0 AND (kind = 'seller_operator' OR from_operator > 0);
SELECT protect('thread');

-- from_*: as in the thread, up to and with this message. contacts: [[from, to, kind], ...] in the text.
-- sender_*: who wrote it; acted_*: the real person, where that one was logged in as the sender.
CREATE TABLE message (
    message_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    thread_id uuid NOT NULL REFERENCES thread,
    seq bigint NOT NULL CHECK (seq > 0),
    posted_at timestamptz NOT NULL,
    sender_kind text NOT NULL CHECK (sender_kind IN ('person', 'api_key')),
    sender_id uuid NOT NULL,
    sender_name text NOT NULL,
    sender_side text NOT NULL CHECK (sender_side IN ('buyer', 'seller', 'operator')),
    sender_organisation_id uuid NOT NULL,
    sender_organisation_name text NOT NULL,
    on_behalf_of text CHECK (on_behalf_of IS NULL OR (on_behalf_of = 'seller' AND sender_side = 'operator')),
    acted_by uuid,
    acted_by_name text,
    automatic boolean NOT NULL,
    text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 4000),
    contacts jsonb NOT NULL,
    from_buyer bigint NOT NULL,
    from_seller bigint NOT NULL,
    from_operator bigint NOT NULL,
    UNIQUE (thread_id, seq),
    CHECK (seq = from_buyer + from_seller + from_operator)
);
CREATE INDEX message_posted_at ON message USING brin (posted_at);
SELECT protect('message', 'append_only');

-- How far somebody has read: a message of the thread, or 0. read_*: as in that message, so that what is unread
-- is a subtraction.
CREATE TABLE thread_read (
    thread_id uuid NOT NULL REFERENCES thread,
    reader_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    last_read_seq bigint NOT NULL CHECK (last_read_seq >= 0),
    read_buyer bigint NOT NULL,
    read_seller bigint NOT NULL,
    read_operator bigint NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (thread_id, reader_id),
    CHECK (last_read_seq = read_buyer + read_seller + read_operator)
);
CREATE INDEX thread_read_reader ON thread_read (reader_id);
SELECT protect('thread_read');

-- The threads with messages that a reader may see, each once and with the side on which the reader stands there.
-- The same as policy.Reach.side_of: operator (the marketplace is given), person, seller, buyer; null reaches nothing.
CREATE FUNCTION reached(as_operator uuid, as_person uuid, as_seller uuid, as_buyer uuid)
RETURNS TABLE (thread_id uuid, side text, last_posted_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT t.thread_id, 'operator', t.last_posted_at FROM thread t WHERE t.marketplace_id = as_operator AND t.last_seq > 0
    UNION ALL
    SELECT t.thread_id, 'buyer', t.last_posted_at FROM thread t
    WHERE t.buyer_person_id = as_person AND t.kind = 'buyer_seller' AND t.last_seq > 0
    UNION ALL
    SELECT t.thread_id, 'seller', t.last_posted_at FROM thread t
    WHERE t.seller_organisation_id = as_seller AND t.last_seq > 0
      AND (as_person IS NULL OR t.buyer_person_id IS DISTINCT FROM as_person)
    UNION ALL
    SELECT t.thread_id, 'buyer', t.last_posted_at FROM thread t
    WHERE t.buyer_organisation_id = as_buyer AND t.kind = 'buyer_seller' AND t.last_seq > 0
      AND (as_person IS NULL OR t.buyer_person_id IS DISTINCT FROM as_person)
      AND (as_seller IS NULL OR t.seller_organisation_id IS DISTINCT FROM as_seller)
$$;

-- What is unread for a side: what the others wrote beyond what was read. An operator is asked for its conversations
-- with sellers and for those that it has joined; the others it may look at without being told of every message.
CREATE FUNCTION unread_of(side text, t thread, r thread_read) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE side
    WHEN 'buyer' THEN t.from_seller + t.from_operator - coalesce(r.read_seller + r.read_operator, 0)
    WHEN 'seller' THEN t.from_buyer + t.from_operator - coalesce(r.read_buyer + r.read_operator, 0)
    WHEN 'operator' THEN CASE WHEN t.kind = 'seller_operator' OR t.from_operator > 0
        THEN t.from_buyer + t.from_seller - coalesce(r.read_buyer + r.read_seller, 0) ELSE 0 END
END;
