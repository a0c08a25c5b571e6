-- name: put_members
-- The highest version of each person wins; $1.. are parallel arrays with each person once.
INSERT INTO member AS m (person_id, marketplace_id, version, organisation_id, organisation_name, email, name, roles,
                         language, time_zone, active)
SELECT person_id, marketplace_id, version, organisation_id, organisation_name, email, name,
       string_to_array(roles, ','), language, time_zone, active
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::boolean[])
     AS e (person_id, marketplace_id, version, organisation_id, organisation_name, email, name, roles, language,
           time_zone, active)
ORDER BY person_id
ON CONFLICT (person_id) DO UPDATE
SET marketplace_id = excluded.marketplace_id, version = excluded.version, organisation_id = excluded.organisation_id,
    organisation_name = excluded.organisation_name, email = excluded.email, name = excluded.name,
    roles = excluded.roles, language = excluded.language, time_zone = excluded.time_zone, active = excluded.active
WHERE excluded.version > m.version;

-- name: put_marketplaces
INSERT INTO marketplace AS m (marketplace_id, slug, name, time_zone, as_of)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
     AS e (marketplace_id, slug, name, time_zone, as_of)
ORDER BY marketplace_id
ON CONFLICT (marketplace_id) DO UPDATE
SET slug = excluded.slug, name = excluded.name, time_zone = excluded.time_zone, as_of = excluded.as_of
WHERE excluded.as_of > m.as_of
  AND (excluded.slug, excluded.name, excluded.time_zone) IS DISTINCT FROM (m.slug, m.name, m.time_zone);

-- name: put_order_refs
INSERT INTO order_ref AS r (order_id, marketplace_id, sequence, buyer_organisation_id, buyer_person_id,
                            seller_organisation_id, seller_person_id, hidden_from_seller)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::boolean[])
     AS e (order_id, marketplace_id, sequence, buyer_organisation_id, buyer_person_id, seller_organisation_id,
           seller_person_id, hidden_from_seller)
ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE
SET sequence = excluded.sequence, buyer_organisation_id = excluded.buyer_organisation_id,
    buyer_person_id = excluded.buyer_person_id, seller_organisation_id = excluded.seller_organisation_id,
    seller_person_id = excluded.seller_person_id, hidden_from_seller = excluded.hidden_from_seller
WHERE excluded.sequence > r.sequence;

-- name: order_refs
SELECT order_id, buyer_person_id, seller_person_id, hidden_from_seller
FROM order_ref WHERE order_id = ANY ($1::uuid[]);

-- name: add_causes
INSERT INTO cause (event_id, marketplace_id, event_type, event_version, occasion, order_id, order_number, occurred_at,
                   created_at, traceparent, facts, event)
SELECT event_id, marketplace_id, event_type, event_version, occasion, order_id, order_number, occurred_at, $12,
       traceparent, facts, event
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::uuid[], $7::text[], $8::timestamptz[],
            $9::text[], $10::jsonb[], $11::jsonb[])
     AS e (event_id, marketplace_id, event_type, event_version, occasion, order_id, order_number, occurred_at,
           traceparent, facts, event)
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id;

-- name: people
-- Everybody of some organisations, some people by id, and the operators of some marketplaces, with their wishes.
SELECT m.person_id, m.marketplace_id, m.organisation_id, m.roles, m.email, m.active,
       coalesce(p.time_zone, m.time_zone) AS time_zone, p.quiet_from, p.quiet_until,
       coalesce(p.digest, 'off') AS digest, coalesce(p.digest_at, '08:00') AS digest_at, p.choices,
       s.reason AS suppressed
FROM member m
LEFT JOIN preference p USING (person_id)
LEFT JOIN suppressed_address s ON s.marketplace_id = m.marketplace_id AND s.address = lower(m.email)
WHERE m.person_id IN (
    SELECT person_id FROM member WHERE organisation_id = ANY ($1::uuid[])
    UNION SELECT person_id FROM member WHERE person_id = ANY ($2::uuid[])
    UNION SELECT person_id FROM member WHERE marketplace_id = ANY ($3::uuid[]) AND 'operator' = ANY (roles)
)
ORDER BY m.person_id
LIMIT 20000;

-- name: open_digests
-- The open window of each (person, category), made where there is none. The update changes nothing, but locks the
-- row: a window cannot be closed until the deliveries that join it are committed.
INSERT INTO digest AS d (digest_id, marketplace_id, person_id, category, opened_at, closes_at)
SELECT digest_id, marketplace_id, person_id, category, $6, closes_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
     AS e (digest_id, marketplace_id, person_id, category, closes_at)
ORDER BY person_id, category
ON CONFLICT (person_id, category) WHERE closed_at IS NULL DO UPDATE SET closes_at = d.closes_at
RETURNING digest_id, person_id, category, closes_at;

-- name: add_notifications
-- Notifications, and the deliveries of those that are new. Arrays $1-$11 by notification, $12-$18 by delivery.
WITH added AS (
    INSERT INTO notification (notification_id, marketplace_id, event_id, person_id, category, kind, side, order_id,
                              occurred_at, in_feed, created_at, touched_at)
    SELECT notification_id, marketplace_id, event_id, person_id, category, kind, side, order_id, occurred_at, in_feed,
           $11, $11
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                $9::timestamptz[], $10::boolean[])
         AS e (notification_id, marketplace_id, event_id, person_id, category, kind, side, order_id, occurred_at,
               in_feed)
    ON CONFLICT (event_id, person_id) DO NOTHING
    RETURNING notification_id, marketplace_id
)
INSERT INTO delivery (delivery_id, marketplace_id, notification_id, channel, state, reason, not_before, digest_id,
                      settled_at)
SELECT delivery_id, added.marketplace_id, notification_id, channel, state, reason, not_before, digest_id,
       CASE WHEN state = 'pending' THEN NULL ELSE $11 END
FROM unnest($12::uuid[], $13::uuid[], $14::text[], $15::text[], $16::text[], $17::timestamptz[], $18::uuid[])
     AS e (delivery_id, notification_id, channel, state, reason, not_before, digest_id)
JOIN added USING (notification_id)
RETURNING delivery_id;

-- name: await_parties
INSERT INTO awaited_party (event_id, marketplace_id, organisation_id, person_id, since)
SELECT event_id, marketplace_id, organisation_id, person_id, $5
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])
     AS e (event_id, marketplace_id, organisation_id, person_id)
ON CONFLICT DO NOTHING;

-- name: take_arrived_parties
-- Events that waited for a party of which something is now known; they are planned again.
DELETE FROM awaited_party WHERE ctid IN (
    SELECT a.ctid FROM awaited_party a
    WHERE CASE WHEN a.person_id IS NOT NULL
               THEN EXISTS (SELECT 1 FROM member m WHERE m.person_id = a.person_id)
               ELSE EXISTS (SELECT 1 FROM member m WHERE m.organisation_id = a.organisation_id) END
    ORDER BY a.since LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING event_id;

-- name: await_orders
INSERT INTO awaited_order (event_id, marketplace_id, order_id, since)
SELECT event_id, marketplace_id, order_id, $4
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS e (event_id, marketplace_id, order_id)
ON CONFLICT DO NOTHING;

-- name: take_messages_to_tell
-- Messages whose order is known by now, or that have waited for it since before $1.
DELETE FROM awaited_order WHERE ctid IN (
    SELECT a.ctid FROM awaited_order a
    WHERE a.since < $1 OR EXISTS (SELECT 1 FROM order_ref r WHERE r.order_id = a.order_id)
    ORDER BY a.since LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING event_id;

-- name: forget_awaited_parties
DELETE FROM awaited_party WHERE ctid IN (SELECT ctid FROM awaited_party WHERE since < $1 LIMIT 5000);

-- name: causes
SELECT event_id, event_type, event_version, occurred_at, traceparent, event FROM cause WHERE event_id = ANY ($1::uuid[]);

-- name: claim_mails
-- Due mails, leased until $2 under the token $3. Whoever finds handed_at set must not send.
WITH due AS (
    SELECT delivery_id FROM delivery
    WHERE state = 'pending' AND digest_id IS NULL AND not_before <= $1
    ORDER BY not_before LIMIT $4
    FOR UPDATE SKIP LOCKED
), claimed AS (
    -- the lease of one that was handed over stays its sender's, who may still say what became of it
    UPDATE delivery d SET not_before = $2, lease = CASE WHEN d.handed_at IS NULL THEN $3 ELSE d.lease END
    FROM due WHERE d.delivery_id = due.delivery_id
    RETURNING d.delivery_id, d.notification_id, d.attempts, d.handed_at, d.lease
)
SELECT c.delivery_id, c.lease, c.attempts, c.handed_at, n.notification_id, n.marketplace_id, n.event_id, n.person_id,
       n.category, n.kind, n.side, n.order_id, n.occurred_at, n.created_at,
       e.occasion, e.facts, e.event_type, e.order_number, e.traceparent,
       CASE WHEN n.category = 'order_confirmation' THEN e.event END AS event,
       m.email, m.name, m.active, m.organisation_name,
       coalesce(p.language, m.language) AS language, coalesce(p.time_zone, m.time_zone) AS time_zone, p.choices,
       p.quiet_from, p.quiet_until, coalesce(k.name, '') AS marketplace_name, s.reason AS suppressed
FROM claimed c
JOIN notification n USING (notification_id)
LEFT JOIN cause e ON e.event_id = n.event_id
LEFT JOIN member m ON m.person_id = n.person_id
LEFT JOIN preference p ON p.person_id = n.person_id
LEFT JOIN marketplace k ON k.marketplace_id = n.marketplace_id
LEFT JOIN suppressed_address s ON s.marketplace_id = n.marketplace_id AND s.address = lower(m.email)
ORDER BY n.notification_id;

-- name: digest_entries
SELECT n.notification_id, n.kind, n.side, n.order_id, n.occurred_at, c.facts, count(*) OVER () AS total
FROM delivery d
JOIN notification n USING (notification_id)
JOIN cause c ON c.event_id = n.event_id
WHERE d.digest_id = $1 AND d.state = 'pending'
ORDER BY n.notification_id
LIMIT $2;

-- name: hand_over
-- The last word before DATA: true where the lease still stands and nobody has handed this mail over before.
UPDATE delivery SET handed_at = $3, address = $4, message_id = $5, not_before = $6
WHERE delivery_id = $1 AND lease = $2 AND state = 'pending' AND handed_at IS NULL AND not_before > $3
RETURNING true;

-- name: settle
-- The end of a mail, and of the deliveries that went out inside it. A sender that was thought dead may still
-- turn its own 'unknown' into what really happened.
WITH mail AS (
    UPDATE delivery SET state = $3, reason = $4, settled_at = $5, attempts = attempts + $6
    WHERE delivery_id = $1 AND lease = $2 AND state IN ('pending', 'unknown')
    RETURNING delivery_id, notification_id, message_id, address
), inside AS (
    UPDATE delivery d SET state = $3, reason = $4, settled_at = $5, message_id = mail.message_id, address = mail.address
    FROM mail JOIN notification n USING (notification_id)
    WHERE n.kind = 'digest' AND d.digest_id = n.event_id AND d.state IN ('pending', 'unknown')
    RETURNING d.delivery_id, d.notification_id
)
SELECT d.delivery_id, n.notification_id, n.marketplace_id, n.event_id, n.person_id, n.order_id, n.category, n.kind
FROM (SELECT delivery_id, notification_id FROM mail UNION ALL SELECT * FROM inside) AS d
JOIN notification n USING (notification_id);

-- name: postpone
UPDATE delivery SET not_before = $3, reason = $4, attempts = attempts + $5, lease = NULL, handed_at = NULL
WHERE delivery_id = $1 AND lease = $2 AND state = 'pending';

-- name: release
-- Mails that were claimed and not tried go back, due at $3. Those that were handed over stay as they are.
UPDATE delivery d SET not_before = $3, lease = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS claimed (delivery_id, lease)
WHERE d.delivery_id = claimed.delivery_id AND d.lease = claimed.lease AND d.state = 'pending' AND d.handed_at IS NULL;

-- name: suppress_address
INSERT INTO suppressed_address (marketplace_id, address, reason, since) VALUES ($1, lower($2), $3, $4)
ON CONFLICT DO NOTHING;

-- name: take_due_digests
UPDATE digest SET closed_at = $1
WHERE digest_id IN (
    SELECT digest_id FROM digest WHERE closed_at IS NULL AND closes_at <= $1
    ORDER BY closes_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING digest_id, marketplace_id, person_id, category;

-- name: skip_read_in_digests
-- What was read in-app meanwhile need not be mailed as well.
UPDATE delivery d SET state = 'skipped', reason = 'read in-app before the digest was due', settled_at = $2
FROM notification n
WHERE d.digest_id = ANY ($1::uuid[]) AND d.state = 'pending' AND n.notification_id = d.notification_id
  AND (n.read_at IS NOT NULL OR n.archived_at IS NOT NULL);

-- name: digests_with_mail
SELECT DISTINCT digest_id FROM delivery WHERE digest_id = ANY ($1::uuid[]) AND state = 'pending';

-- name: next_digest_at
SELECT min(closes_at) FROM digest WHERE closed_at IS NULL;

-- name: bounce
-- A mail that was sent, or perhaps sent, came back; and the deliveries that went out inside it.
WITH mail AS (
    UPDATE delivery SET state = 'bounced', reason = $2, settled_at = $3
    WHERE delivery_id = $1 AND channel = 'email'
      -- also where nobody has written down yet that it was sent: its sender was killed, or is slower than the bounce
      AND (state IN ('sent', 'unknown') OR state = 'pending' AND handed_at IS NOT NULL)
    RETURNING delivery_id, notification_id, address
), inside AS (
    UPDATE delivery d SET state = 'bounced', reason = $2, settled_at = $3
    FROM mail JOIN notification n USING (notification_id)
    WHERE n.kind = 'digest' AND d.digest_id = n.event_id AND d.state IN ('sent', 'unknown', 'pending')
    RETURNING d.delivery_id, d.notification_id, NULL::text
)
SELECT d.delivery_id, d.address, n.notification_id, n.marketplace_id, n.event_id, n.person_id, n.order_id, n.category,
       n.kind
FROM (SELECT * FROM mail UNION ALL SELECT * FROM inside) AS d
JOIN notification n USING (notification_id);

-- name: mail_keys
SELECT secret FROM mail_key ORDER BY key_id DESC;

-- name: pending_mails
SELECT count(*) AS waiting, min(not_before) AS oldest
FROM (SELECT not_before FROM delivery WHERE state = 'pending' AND digest_id IS NULL AND not_before <= $1
      ORDER BY not_before LIMIT 10000) AS due;

-- name: prune_notifications
DELETE FROM notification WHERE notification_id IN (
    SELECT notification_id FROM notification n WHERE created_at < $1
      AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notification_id = n.notification_id AND d.state = 'pending')
    LIMIT $2
);

-- name: prune_causes
DELETE FROM cause WHERE event_id IN (
    SELECT event_id FROM cause c WHERE created_at < $1
      AND NOT EXISTS (SELECT 1 FROM notification n WHERE n.event_id = c.event_id)
    LIMIT $2
);

-- name: prune_digests
DELETE FROM digest WHERE digest_id IN (
    SELECT digest_id FROM digest g WHERE closed_at < $1
      AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.digest_id = g.digest_id)
    LIMIT $2
);
