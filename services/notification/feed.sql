-- What people see of their notifications, and what they set.

-- name: feed
-- One person's feed, newest first, after $2. $3: unread | read | archived | all (all but archived).
SELECT n.notification_id, n.event_id, n.category, n.kind, n.side, n.order_id, n.occurred_at, n.seen_at, n.read_at,
       n.archived_at, c.event_type, c.order_number, c.facts
FROM notification n JOIN cause c USING (event_id)
WHERE n.person_id = $1 AND n.in_feed AND ($2::uuid IS NULL OR n.notification_id < $2)
  AND CASE $3::text WHEN 'unread' THEN n.read_at IS NULL AND n.archived_at IS NULL
                    WHEN 'read' THEN n.read_at IS NOT NULL AND n.archived_at IS NULL
                    WHEN 'archived' THEN n.archived_at IS NOT NULL
                    ELSE n.archived_at IS NULL END
  AND ($5::uuid IS NULL OR n.order_id = $5)
ORDER BY n.notification_id DESC
LIMIT $4;

-- name: feed_by_order
-- The newest notification of each order (what belongs to no order stands for itself), with the order's counts.
SELECT n.notification_id, n.event_id, n.category, n.kind, n.side, n.order_id, n.occurred_at, n.seen_at, n.read_at,
       n.archived_at, c.event_type, c.order_number, c.facts, coalesce(g.total, 1) AS total,
       coalesce(g.unread, CASE WHEN n.read_at IS NULL THEN 1 ELSE 0 END) AS unread
FROM notification n JOIN cause c USING (event_id)
LEFT JOIN LATERAL (
    SELECT count(*) AS total, count(*) FILTER (WHERE o.read_at IS NULL) AS unread
    FROM (SELECT read_at FROM notification o
          WHERE o.order_id = n.order_id AND o.person_id = n.person_id AND o.in_feed AND o.archived_at IS NULL
          LIMIT 1000) AS o
) AS g ON n.order_id IS NOT NULL
WHERE n.person_id = $1 AND n.in_feed AND n.archived_at IS NULL AND ($2::uuid IS NULL OR n.notification_id < $2)
  AND NOT EXISTS (SELECT 1 FROM notification later
                  WHERE later.order_id = n.order_id AND later.person_id = n.person_id AND later.in_feed
                    AND later.archived_at IS NULL AND later.notification_id > n.notification_id)
ORDER BY n.notification_id DESC
LIMIT $3;

-- name: fresh_in_feed
-- What a live stream has yet to show: the newest after $2, oldest first.
SELECT * FROM (
    SELECT n.notification_id, n.event_id, n.category, n.kind, n.side, n.order_id, n.occurred_at, n.seen_at, n.read_at,
           n.archived_at, c.event_type, c.order_number, c.facts
    FROM notification n JOIN cause c USING (event_id)
    WHERE n.person_id = $1 AND n.in_feed AND n.archived_at IS NULL AND n.notification_id > $2
    ORDER BY n.notification_id DESC LIMIT $3
) AS newest ORDER BY notification_id;

-- name: feed_counts
-- Bounded: a feed with more than 1,000 unread answers 1,000.
SELECT count(*) AS unread, count(*) FILTER (WHERE seen_at IS NULL) AS unseen
FROM (SELECT seen_at FROM notification
      WHERE person_id = $1 AND in_feed AND read_at IS NULL AND archived_at IS NULL LIMIT 1000) AS u;

-- name: touched
SELECT person_id, max(touched_at) AS touched_at FROM notification
WHERE person_id = ANY ($1::uuid[]) AND touched_at >= $2 GROUP BY person_id;

-- name: language_of
SELECT coalesce(p.language, m.language) AS language, coalesce(p.time_zone, m.time_zone) AS time_zone
FROM member m LEFT JOIN preference p USING (person_id) WHERE m.person_id = $1;

-- name: engage
-- Marks one notification of the person's own feed and shows it. $4: read | unread | archive | unarchive.
WITH marked AS (
    UPDATE notification SET
        seen_at = coalesce(seen_at, $3),
        read_at = CASE $4::text WHEN 'unread' THEN NULL WHEN 'unarchive' THEN read_at ELSE coalesce(read_at, $3) END,
        archived_at = CASE $4::text WHEN 'archive' THEN coalesce(archived_at, $3) WHEN 'unarchive' THEN NULL
                                    ELSE archived_at END,
        touched_at = $3
    WHERE notification_id = $1 AND person_id = $2 AND in_feed
    RETURNING *
)
SELECT n.notification_id, n.event_id, n.category, n.kind, n.side, n.order_id, n.occurred_at, n.seen_at, n.read_at,
       n.archived_at, c.event_type, c.order_number, c.facts
FROM marked n JOIN cause c USING (event_id);

-- name: read_all
-- Everything unread up to $3 (null: all); of one order where $4 is given. Some thousand at a time.
WITH unread AS (
    SELECT notification_id FROM notification
    WHERE person_id = $1 AND in_feed AND read_at IS NULL AND archived_at IS NULL
      AND ($3::uuid IS NULL OR notification_id <= $3) AND ($4::uuid IS NULL OR order_id = $4)
    LIMIT 5000
)
UPDATE notification n SET read_at = $2, seen_at = coalesce(n.seen_at, $2), touched_at = $2
FROM unread WHERE n.notification_id = unread.notification_id
RETURNING n.notification_id;

-- name: see_all
UPDATE notification SET seen_at = $2, touched_at = $2
WHERE notification_id IN (
    SELECT notification_id FROM notification
    WHERE person_id = $1 AND in_feed AND read_at IS NULL AND archived_at IS NULL AND seen_at IS NULL LIMIT 5000
)
RETURNING notification_id;

-- name: preference
SELECT version, language, time_zone, quiet_from, quiet_until, digest, digest_at, choices
FROM preference WHERE person_id = $1;

-- name: lock_preference
SELECT version, language, time_zone, quiet_from, quiet_until, digest, digest_at, choices
FROM preference WHERE person_id = $1 FOR UPDATE;

-- name: put_preference
INSERT INTO preference AS p (person_id, marketplace_id, language, time_zone, quiet_from, quiet_until, digest, digest_at,
                             choices, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (person_id) DO UPDATE
SET language = excluded.language, time_zone = excluded.time_zone, quiet_from = excluded.quiet_from,
    quiet_until = excluded.quiet_until, digest = excluded.digest, digest_at = excluded.digest_at,
    choices = excluded.choices, updated_at = excluded.updated_at, version = p.version + 1
RETURNING version, language, time_zone, quiet_from, quiet_until, digest, digest_at, choices;

-- name: switch_off_email
-- One click in a mail: the category's e-mail is off, everything else stays.
INSERT INTO preference AS p (person_id, marketplace_id, choices, updated_at)
SELECT $1, $2, jsonb_build_object($3::text, jsonb_build_object('email', false)), $4
WHERE EXISTS (SELECT 1 FROM member WHERE person_id = $1 AND marketplace_id = $2)
ON CONFLICT (person_id) DO UPDATE
SET choices = p.choices || jsonb_build_object($3::text,
                  coalesce(p.choices -> $3::text, '{}'::jsonb) || '{"email": false}'::jsonb),
    updated_at = excluded.updated_at, version = p.version + 1
RETURNING version;

-- name: order_deliveries
-- What went out because of an order's events. $2: null for everybody, else only people of that organisation;
-- $3: null, else only that person.
SELECT n.notification_id, n.event_id, n.person_id, n.category, n.kind, n.side, n.occurred_at, n.seen_at, n.read_at,
       c.event_type, coalesce(c.facts ->> 'actor', '') AS actor, coalesce(c.facts ->> 'actor_for', '') AS actor_for,
       coalesce(c.facts ->> 'sender_side', '') AS actor_side, m.name, m.organisation_id, m.organisation_name,
       d.delivery_id, d.channel, d.state, d.reason, d.attempts, d.not_before, d.settled_at, d.address
FROM notification n
JOIN cause c USING (event_id)
JOIN member m USING (person_id)
JOIN delivery d USING (notification_id)
WHERE n.order_id = $1 AND ($2::uuid IS NULL OR m.organisation_id = $2) AND ($3::uuid IS NULL OR n.person_id = $3)
  AND ($4::uuid IS NULL OR d.delivery_id > $4)
ORDER BY d.delivery_id
LIMIT $5;

-- name: resume_address
DELETE FROM suppressed_address WHERE marketplace_id = $1 AND address = lower($2) RETURNING true;

-- name: address_state
SELECT m.email, m.language, m.time_zone, s.reason, s.since
FROM member m
LEFT JOIN suppressed_address s ON s.marketplace_id = m.marketplace_id AND s.address = lower(m.email)
WHERE m.person_id = $1;
