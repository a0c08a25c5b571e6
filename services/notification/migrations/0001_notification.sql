-- Who is who, as member.changed tells it; the highest version of a person wins.
CREATE TABLE member (
    person_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    version int NOT NULL,
    organisation_id uuid NOT NULL,
    organisation_name text NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    language text NOT NULL,
    time_zone text NOT NULL,
    active boolean NOT NULL
);
CREATE INDEX member_organisation ON member (organisation_id);
CREATE INDEX member_operator ON member (marketplace_id) WHERE 'operator' = ANY (roles);
SELECT protect('member');

-- The newest word of any person's event on the marketplace; as_of is that event's time.
CREATE TABLE marketplace (
    marketplace_id uuid PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    time_zone text NOT NULL,
    as_of timestamptz NOT NULL
);
SELECT protect('marketplace');

-- Whose order it is, for events that do not carry the order; the highest sequence wins.
CREATE TABLE order_ref (
    order_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    sequence int NOT NULL,
    buyer_organisation_id uuid NOT NULL,
    buyer_person_id uuid,
    seller_organisation_id uuid NOT NULL,
    seller_person_id uuid,
    hidden_from_seller boolean NOT NULL
);
SELECT protect('order_ref');

-- What a person wishes. Absent: the defaults of every category, and the language and time zone of the member.
CREATE TABLE preference (
    person_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    version int NOT NULL DEFAULT 1,
    language text,
    time_zone text,
    quiet_from time,
    quiet_until time,
    digest text NOT NULL DEFAULT 'off' CHECK (digest IN ('off', 'hourly', 'daily')),
    digest_at time NOT NULL DEFAULT '08:00',
    -- {"order_progress": {"email": false}}: only what the person chose; required rows are never in it
    choices jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL,
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);
SELECT protect('preference');

-- Addresses that take no mail, in lower case: a hard bounce, or a refusal by the receiving server.
CREATE TABLE suppressed_address (
    marketplace_id uuid NOT NULL,
    address text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (marketplace_id, address)
);
SELECT protect('suppressed_address');

-- An event that people are told of. `facts` is what the texts name; `event` the whole of it, for confirmations
-- and for recipients who become known a little later.
CREATE TABLE cause (
    event_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    event_type text NOT NULL,
    event_version int NOT NULL,
    occasion text NOT NULL,
    order_id uuid,
    order_number text,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    traceparent text NOT NULL,
    facts jsonb NOT NULL,
    event jsonb NOT NULL
);
CREATE INDEX cause_order ON cause (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX cause_created ON cause USING brin (created_at);
SELECT protect('cause');

-- One person told of one event. Engagement (seen, read, archived) is apart from delivery.
-- kind 'digest' is the envelope of a digest mail: its event_id is the digest's id, and it is in no feed.
CREATE TABLE notification (
    notification_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    event_id uuid NOT NULL,
    person_id uuid NOT NULL,
    category text NOT NULL,
    kind text NOT NULL,
    side text NOT NULL CHECK (side IN ('buyer', 'seller', 'operator')),
    order_id uuid,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    in_feed boolean NOT NULL,
    touched_at timestamptz NOT NULL,
    seen_at timestamptz,
    read_at timestamptz,
    archived_at timestamptz,
    -- stronger than (event, person, category): a person is told once of an event, in one category
    UNIQUE (event_id, person_id)
);
CREATE INDEX notification_feed ON notification (person_id, notification_id DESC) WHERE in_feed;
CREATE INDEX notification_unread ON notification (person_id, notification_id DESC)
    WHERE in_feed AND read_at IS NULL AND archived_at IS NULL;
CREATE INDEX notification_order ON notification (order_id, person_id, notification_id DESC)
    WHERE order_id IS NOT NULL;
CREATE INDEX notification_touched ON notification (person_id, touched_at);
CREATE INDEX notification_created ON notification USING brin (created_at);
SELECT protect('notification');

-- Mails of one category for one person that are sent together. At most one window is open at a time: the unique
-- index is what opens it, and its row lock what keeps it from closing under an event that is being added.
CREATE TABLE digest (
    digest_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    person_id uuid NOT NULL,
    category text NOT NULL,
    opened_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE UNIQUE INDEX digest_open ON digest (person_id, category) WHERE closed_at IS NULL;
CREATE INDEX digest_due ON digest (closes_at) WHERE closed_at IS NULL;
CREATE INDEX digest_closed ON digest USING brin (closed_at);
SELECT protect('digest');

-- One channel of a notification. not_before is the due time, and while it is being sent the end of the lease.
-- handed_at is set just before the mail's DATA: a row that is found with it was perhaps sent, and never is again.
CREATE TABLE delivery (
    delivery_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    notification_id uuid NOT NULL REFERENCES notification ON DELETE CASCADE,
    channel text NOT NULL CHECK (channel IN ('in_app', 'email')),
    state text NOT NULL
        CHECK (state IN ('pending', 'sent', 'unknown', 'bounced', 'failed', 'suppressed', 'skipped')),
    reason text NOT NULL DEFAULT '',
    not_before timestamptz NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    lease uuid,
    handed_at timestamptz,
    digest_id uuid REFERENCES digest,
    address text,
    message_id text,
    settled_at timestamptz,
    UNIQUE (notification_id, channel),
    CHECK ((state = 'pending') = (settled_at IS NULL))
);
CREATE INDEX delivery_due ON delivery (not_before) WHERE state = 'pending' AND digest_id IS NULL;
CREATE INDEX delivery_digest ON delivery (digest_id) WHERE digest_id IS NOT NULL;
SELECT protect('delivery');

-- Events with a party of whom nothing has been heard yet: member.changed travels on another topic.
CREATE TABLE awaited_party (
    event_id uuid NOT NULL,
    marketplace_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    person_id uuid,
    since timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (event_id, organisation_id, person_id)
);
CREATE INDEX awaited_party_since ON awaited_party (since);
SELECT protect('awaited_party');

-- Signs the links of mails (one-click unsubscribe) and the return addresses of bounces. Made here, so that
-- nothing needs to be configured; the newest key signs, every key verifies.
CREATE TABLE mail_key (
    key_id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO mail_key DEFAULT VALUES;
DO $$
DECLARE app text := replace(current_user, '_owner', '');
BEGIN
    EXECUTE format('GRANT SELECT ON mail_key TO %I, %I', app, app || '_worker');
END $$;
