-- Who is who, as identity tells it (member.changed): the newest statement about each stays.
CREATE TABLE marketplace (
    marketplace_id uuid PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    time_zone text NOT NULL,
    lifecycle text NOT NULL,
    settings jsonb NOT NULL,
    as_of timestamptz NOT NULL
);
SELECT protect('marketplace');

CREATE TABLE organisation (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('buyer', 'seller', 'both', 'operator')),
    time_zone text NOT NULL,
    location text,
    external_ids text[] NOT NULL,
    commission_rate numeric,
    as_of timestamptz NOT NULL
);
CREATE INDEX organisation_operator ON organisation (marketplace_id, id) WHERE kind = 'operator';
SELECT protect('organisation');

-- Every name by which a submitted order may call an organisation: its id, slug and external ids. A table, because
-- array operators are not leakproof and row-level security would keep them from any index.
CREATE TABLE organisation_alias (
    marketplace_id uuid NOT NULL,
    alias text NOT NULL,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    PRIMARY KEY (marketplace_id, alias, organisation_id)
);
CREATE INDEX organisation_alias_organisation ON organisation_alias (organisation_id);
SELECT protect('organisation_alias');

CREATE TABLE member (
    marketplace_id uuid NOT NULL,
    person_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    organisation_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    active boolean NOT NULL,
    limit_minor bigint,
    limit_currency text
);
SELECT protect('member');

-- Lifecycle texts. A row is never changed: an order stays on the version that it started with.
CREATE TABLE lifecycle (
    marketplace_id uuid NOT NULL,
    name text NOT NULL,
    version int NOT NULL,
    digest text NOT NULL,
    text text NOT NULL,
    builtin boolean NOT NULL,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (marketplace_id, name, version)
);
SELECT protect('lifecycle', 'append_only');

CREATE TABLE channel (
    marketplace_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    config jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (marketplace_id, name)
);
SELECT protect('channel');

-- Listings. on_hand NULL: stock is not counted. Free stock is on_hand - reserved.
CREATE TABLE listing (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    version bigint NOT NULL,
    seller_org uuid NOT NULL,
    sku text NOT NULL,
    name text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    unit_code text NOT NULL,
    on_hand numeric,
    reserved numeric NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    tracked boolean NOT NULL,
    delivery_mode text CHECK (delivery_mode IN ('delivery', 'pickup')),
    location text,
    kg_per_unit numeric,
    material text,
    active boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (marketplace_id, seller_org, sku)
) WITH (fillfactor = 70);
CREATE INDEX listing_sku ON listing (marketplace_id, sku, id);
SELECT protect('listing');

-- Single things with a QR code or serial number. Where they are and whose they are changes when they are received.
CREATE TABLE listing_unit (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    listing_id uuid NOT NULL REFERENCES listing (id),
    code text NOT NULL,
    state text NOT NULL CHECK (state IN ('free', 'taken')),
    order_id uuid,
    line_id uuid,
    organisation_id uuid NOT NULL,
    location text,
    UNIQUE (listing_id, code)
);
CREATE INDEX listing_unit_free ON listing_unit (listing_id, code) WHERE state = 'free';
SELECT protect('listing_unit');

-- Received things and where they went: kept for things without a code of their own as well.
CREATE TABLE relocation (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    line_id uuid NOT NULL,
    listing_id uuid,
    quantity numeric NOT NULL,
    unit_ids uuid[] NOT NULL,
    organisation_id uuid NOT NULL,
    location text,
    moved_at timestamptz NOT NULL
);
CREATE INDEX relocation_order ON relocation (order_id);
SELECT protect('relocation', 'append_only');

-- One row per order. `doc` is the aggregate; every other column is derived from it by one function, for searching.
CREATE TABLE orders (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    number bigint NOT NULL,
    purchase_id uuid NOT NULL,
    channel text NOT NULL COLLATE "C",
    external_id text COLLATE "C",
    -- which of the purchase's orders this is: the first one carries the uniqueness of the external id
    part int NOT NULL,
    -- of what was submitted under the external id: the same id with another content is a conflict
    fingerprint bytea,
    lifecycle text NOT NULL,
    lifecycle_version int NOT NULL,
    sequence bigint NOT NULL,
    status text NOT NULL COLLATE "C",
    shown text NOT NULL COLLATE "C",
    phase text NOT NULL COLLATE "C",
    money text NOT NULL,
    issue text NOT NULL,
    -- false until the order was first pending: before that only the buyer's side may know of it
    known boolean NOT NULL,
    overdue boolean NOT NULL,
    buyer_org uuid NOT NULL,
    buyer_person uuid,
    seller_org uuid NOT NULL,
    customer_name_lc text NOT NULL COLLATE "C",
    customer_email_lc text NOT NULL COLLATE "C",
    search text NOT NULL COLLATE "C",
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closed_at timestamptz,
    -- when the clock has to look at the order next
    timer_at timestamptz,
    -- hash of the last timeline entry
    chain bytea NOT NULL,
    -- what a list or an export shows
    card json NOT NULL,
    doc json NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
SELECT protect('orders');
CREATE UNIQUE INDEX orders_number ON orders (marketplace_id, number);
CREATE UNIQUE INDEX orders_external_id ON orders (marketplace_id, channel, external_id, part)
    WHERE external_id IS NOT NULL;
CREATE INDEX orders_purchase ON orders (purchase_id);
CREATE INDEX orders_timer ON orders (timer_at) WHERE timer_at IS NOT NULL;

-- Lists: whose orders (marketplace, seller, buyer), what is filtered, what is sorted by. See docs/decisions/0021.
CREATE INDEX orders_placed ON orders (marketplace_id, placed_at, id);
CREATE INDEX orders_total ON orders (marketplace_id, total_minor, id);
CREATE INDEX orders_status_placed ON orders (marketplace_id, status, placed_at, id);
CREATE INDEX orders_status_total ON orders (marketplace_id, status, total_minor, id);
CREATE INDEX orders_phase_placed ON orders (marketplace_id, phase, placed_at, id);
CREATE INDEX orders_channel_placed ON orders (marketplace_id, channel, placed_at, id);
CREATE INDEX orders_overdue ON orders (marketplace_id, placed_at, id) WHERE overdue;
CREATE INDEX orders_shown ON orders (marketplace_id, shown, placed_at, id) WHERE shown <> status;
CREATE INDEX orders_seller_placed ON orders (seller_org, placed_at, id);
CREATE INDEX orders_seller_total ON orders (seller_org, total_minor, id);
CREATE INDEX orders_seller_status ON orders (seller_org, status, placed_at, id);
CREATE INDEX orders_buyer_placed ON orders (buyer_org, placed_at, id);
CREATE INDEX orders_buyer_total ON orders (buyer_org, total_minor, id);
CREATE INDEX orders_buyer_status ON orders (buyer_org, status, placed_at, id);
CREATE INDEX orders_person_placed ON orders (buyer_person, placed_at, id) WHERE buyer_person IS NOT NULL;
CREATE INDEX orders_customer_name ON orders (marketplace_id, customer_name_lc text_pattern_ops);
CREATE INDEX orders_customer_email ON orders (marketplace_id, customer_email_lc text_pattern_ops);
CREATE INDEX orders_external_prefix ON orders (marketplace_id, external_id text_pattern_ops)
    WHERE external_id IS NOT NULL;
CREATE INDEX orders_search ON orders USING gin (marketplace_id, search gin_trgm_ops);

-- The owner reads orders in SECURITY DEFINER functions, which filter the marketplace themselves.
CREATE POLICY owner_search ON orders FOR SELECT TO CURRENT_USER USING (true);

-- Ids of at most `most` orders of the caller's marketplace whose search text has `needle` in it. LIKE is not
-- leakproof, so under row-level security its index would be ignored; here the marketplace is filtered by hand.
CREATE FUNCTION orders_containing(needle text, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT id FROM orders.orders WHERE marketplace_id = %L AND search LIKE %L LIMIT %s',
        orders.current_marketplace(),
        '%' || replace(replace(replace(needle, '\', '\\'), '%', '\%'), '_', '\_') || '%',
        most);
END $$;

-- Held while a marketplace's sequence is made. A table and not an advisory lock, because only taking a table's lock
-- makes a session forget that it has just looked for the sequence in vain. It has no rows.
CREATE TABLE order_numbering (marketplace_id uuid NOT NULL);
SELECT protect('order_numbering');

-- The next order number of a marketplace: a sequence, so that placing locks no row. Made on first use.
CREATE FUNCTION next_order_number(marketplace uuid) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    sequence_name text := 'orders.order_number_' || pg_catalog.replace(marketplace::text, '-', '');
    own uuid := orders.current_marketplace();
BEGIN
    IF own IS NOT NULL AND own <> marketplace THEN
        RAISE EXCEPTION 'order numbers of another marketplace';
    END IF;
    IF pg_catalog.to_regclass(sequence_name) IS NULL THEN
        LOCK TABLE orders.order_numbering IN SHARE ROW EXCLUSIVE MODE;
        -- to_regclass may still answer from what this session knew before the lock; CREATE looks again
        EXECUTE 'CREATE SEQUENCE IF NOT EXISTS ' || sequence_name || ' START WITH 1001';
    END IF;
    RETURN pg_catalog.nextval(sequence_name::regclass);
END $$;

-- Every change of every order, in order, each entry hashed with the one before it. Nobody may change or remove one.
CREATE TABLE timeline (
    marketplace_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sequence bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    audience text[] NOT NULL,
    -- the canonical JSON text that was hashed; the columns before it are copies for searching
    entry text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (order_id, sequence)
);
SELECT protect('timeline', 'append_only');

-- Uploaded files. `side` is who uploaded it; until an action attaches it, only that side may see it.
CREATE TABLE document (
    marketplace_id uuid NOT NULL,
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'invoice')),
    file_name text NOT NULL,
    media_type text NOT NULL,
    bytes int NOT NULL,
    sha256 text NOT NULL,
    side text NOT NULL,
    added_at timestamptz NOT NULL,
    added_by uuid,
    content bytea NOT NULL
);
ALTER TABLE document ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX document_order ON document (order_id);
SELECT protect('document');
