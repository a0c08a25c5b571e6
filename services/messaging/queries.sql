-- name: put_threads
-- Both threads of each order, from the newest snapshot that the seller may know.
INSERT INTO thread AS t (thread_id, marketplace_id, order_id, kind, order_number, order_sequence,
                         buyer_organisation_id, buyer_name, buyer_person_id, seller_organisation_id, seller_name,
                         created_at)
SELECT b.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::text[],
                       $9::uuid[], $10::uuid[], $11::text[], $12::timestamptz[]) AS b
ON CONFLICT (order_id, kind) DO UPDATE
SET order_number = excluded.order_number, order_sequence = excluded.order_sequence,
    buyer_organisation_id = excluded.buyer_organisation_id, buyer_name = excluded.buyer_name,
    buyer_person_id = excluded.buyer_person_id, seller_organisation_id = excluded.seller_organisation_id,
    seller_name = excluded.seller_name
WHERE excluded.order_sequence > t.order_sequence;

-- name: known_threads
-- What is known of the orders, from the first of their two threads, which also holds the newest sequence seen.
SELECT order_id, order_sequence, order_number, buyer_organisation_id, buyer_name, buyer_person_id,
       seller_organisation_id, seller_name
FROM thread WHERE order_id = ANY ($1::uuid[]) AND kind = 'buyer_seller' ORDER BY order_id FOR UPDATE;

-- name: pass_sequences
-- Newer snapshots that change nothing about who takes part.
UPDATE thread AS t SET order_sequence = b.sequence
FROM unnest($1::uuid[], $2::bigint[]) AS b (order_id, sequence)
WHERE t.order_id = b.order_id AND t.kind = 'buyer_seller' AND b.sequence > t.order_sequence;

-- name: set_marketplaces
INSERT INTO marketplace AS m (marketplace_id, name, time_zone, settings, as_of)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[])
ON CONFLICT (marketplace_id) DO UPDATE
SET name = excluded.name, time_zone = excluded.time_zone, settings = excluded.settings, as_of = excluded.as_of
WHERE excluded.as_of > m.as_of
  AND (m.name, m.time_zone, m.settings) IS DISTINCT FROM (excluded.name, excluded.time_zone, excluded.settings);

-- name: set_members
INSERT INTO member AS p (person_id, marketplace_id, organisation_id, organisation_kind, name, roles, active, version)
SELECT person_id, marketplace_id, organisation_id, organisation_kind, name, string_to_array(roles, ','), active, version
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::bigint[])
    AS b (person_id, marketplace_id, organisation_id, organisation_kind, name, roles, active, version)
ON CONFLICT (person_id) DO UPDATE
SET marketplace_id = excluded.marketplace_id, organisation_id = excluded.organisation_id,
    organisation_kind = excluded.organisation_kind, name = excluded.name, roles = excluded.roles,
    active = excluded.active, version = excluded.version
WHERE excluded.version > p.version;

-- name: members
SELECT person_id, organisation_id, name, roles FROM member
WHERE organisation_id = ANY ($1::uuid[]) AND active ORDER BY name, person_id LIMIT $2;

-- name: operators
SELECT person_id, organisation_id, name, roles FROM member
WHERE marketplace_id = $1 AND 'operator' = ANY (roles) AND active ORDER BY name, person_id LIMIT $2;

-- name: marketplace
SELECT time_zone, settings FROM marketplace WHERE marketplace_id = $1;

-- name: thread_of_order
SELECT t.*, coalesce(r.last_read_seq, 0) AS last_read_seq, coalesce(r.read_buyer, 0) AS read_buyer,
       coalesce(r.read_seller, 0) AS read_seller, coalesce(r.read_operator, 0) AS read_operator
FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $3
WHERE t.order_id = $1 AND t.kind = $2;

-- name: threads_of_orders
SELECT t.*, coalesce(r.last_read_seq, 0) AS last_read_seq, coalesce(r.read_buyer, 0) AS read_buyer,
       coalesce(r.read_seller, 0) AS read_seller, coalesce(r.read_operator, 0) AS read_operator
FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $2
WHERE t.order_id = ANY ($1::uuid[]) ORDER BY t.order_id, t.kind;

-- name: list_threads
-- $1 reader; $2 the marketplace for operators, $3-$5 person, seller and buyer as in `reached`; $6, $7 the cursor; $8
-- rows; $9 only unread; $10 only those awaiting its own reply. Each branch stops at a page, in the order of its index.
SELECT thread_id, marketplace_id, order_id, kind, order_number, order_sequence, buyer_organisation_id, buyer_name,
       buyer_person_id, seller_organisation_id, seller_name, created_at, last_seq, last_posted_at, from_buyer,
       from_seller, from_operator, awaiting, awaiting_since, coalesce(last_read_seq, 0) AS last_read_seq,
       coalesce(read_buyer, 0) AS read_buyer, coalesce(read_seller, 0) AS read_seller,
       coalesce(read_operator, 0) AS read_operator
FROM (
    (SELECT t.*, r.last_read_seq, r.read_buyer, r.read_seller, r.read_operator
     FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $1
     WHERE t.marketplace_id = $2::uuid AND t.last_seq > 0
       AND ($6::timestamptz IS NULL OR (t.last_posted_at, t.thread_id) < ($6, $7::uuid))
       AND (NOT $9::boolean OR unread_of('operator', t.kind, t.from_buyer, t.from_seller, t.from_operator, r.read_buyer,
                                         r.read_seller, r.read_operator) > 0)
       AND (NOT $10::boolean OR t.awaiting = 'operator')
     ORDER BY t.last_posted_at DESC, t.thread_id DESC LIMIT $8)
    UNION ALL
    (SELECT t.*, r.last_read_seq, r.read_buyer, r.read_seller, r.read_operator
     FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $1
     WHERE t.buyer_person_id = $3 AND t.kind = 'buyer_seller' AND t.last_seq > 0
       AND ($6::timestamptz IS NULL OR (t.last_posted_at, t.thread_id) < ($6, $7::uuid))
       AND (NOT $9::boolean OR unread_of('buyer', t.kind, t.from_buyer, t.from_seller, t.from_operator, r.read_buyer,
                                         r.read_seller, r.read_operator) > 0)
       AND (NOT $10::boolean OR t.awaiting = 'buyer')
     ORDER BY t.last_posted_at DESC, t.thread_id DESC LIMIT $8)
    UNION ALL
    (SELECT t.*, r.last_read_seq, r.read_buyer, r.read_seller, r.read_operator
     FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $1
     WHERE t.seller_organisation_id = $4 AND t.last_seq > 0
       AND ($3::uuid IS NULL OR t.buyer_person_id IS DISTINCT FROM $3)
       AND ($6::timestamptz IS NULL OR (t.last_posted_at, t.thread_id) < ($6, $7::uuid))
       AND (NOT $9::boolean OR unread_of('seller', t.kind, t.from_buyer, t.from_seller, t.from_operator, r.read_buyer,
                                         r.read_seller, r.read_operator) > 0)
       AND (NOT $10::boolean OR t.awaiting = 'seller')
     ORDER BY t.last_posted_at DESC, t.thread_id DESC LIMIT $8)
    UNION ALL
    (SELECT t.*, r.last_read_seq, r.read_buyer, r.read_seller, r.read_operator
     FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $1
     WHERE t.buyer_organisation_id = $5::uuid AND t.kind = 'buyer_seller' AND t.last_seq > 0
       AND ($3::uuid IS NULL OR t.buyer_person_id IS DISTINCT FROM $3)
       AND ($4::uuid IS NULL OR t.seller_organisation_id IS DISTINCT FROM $4)
       AND ($6::timestamptz IS NULL OR (t.last_posted_at, t.thread_id) < ($6, $7::uuid))
       AND (NOT $9::boolean OR unread_of('buyer', t.kind, t.from_buyer, t.from_seller, t.from_operator, r.read_buyer,
                                         r.read_seller, r.read_operator) > 0)
       AND (NOT $10::boolean OR t.awaiting = 'buyer')
     ORDER BY t.last_posted_at DESC, t.thread_id DESC LIMIT $8)
) AS t
ORDER BY last_posted_at DESC, thread_id DESC LIMIT $8;

-- name: unread_totals
SELECT coalesce(sum(unread), 0)::bigint AS total, count(*) FILTER (WHERE unread > 0) AS threads,
       count(*) FILTER (WHERE awaits) AS awaiting
FROM (
    SELECT unread_of(s.side, s.kind, s.from_buyer, s.from_seller, s.from_operator, r.read_buyer, r.read_seller,
                     r.read_operator) AS unread, s.awaiting = s.side AS awaits
    FROM reached($2, $3, $4) AS s
    LEFT JOIN thread_read r ON r.thread_id = s.thread_id AND r.reader_id = $1
) AS u;

-- name: unread_totals_operator
SELECT coalesce(sum(unread), 0)::bigint AS total, count(*) FILTER (WHERE unread > 0) AS threads,
       count(*) FILTER (WHERE awaits) AS awaiting
FROM (
    SELECT unread_of('operator', t.kind, t.from_buyer, t.from_seller, t.from_operator, r.read_buyer, r.read_seller,
                     r.read_operator) AS unread, t.awaiting = 'operator' AS awaits
    FROM thread t LEFT JOIN thread_read r ON r.thread_id = t.thread_id AND r.reader_id = $1
    WHERE t.marketplace_id = $2 AND t.last_seq > 0 AND (t.kind = 'seller_operator' OR t.from_operator > 0)
) AS u;

-- name: lock_thread
SELECT t.*, m.settings, m.time_zone FROM thread t LEFT JOIN marketplace m ON m.marketplace_id = t.marketplace_id
WHERE t.order_id = $1 AND t.kind = $2 FOR UPDATE OF t;

-- name: post
-- The thread's row is locked: its counters give the number, and the message stands under it.
WITH moved AS (
    UPDATE thread SET
        last_seq = last_seq + 1, last_posted_at = $3,
        from_buyer = from_buyer + ($7 = 'buyer')::int, from_seller = from_seller + ($7 = 'seller')::int,
        from_operator = from_operator + ($7 = 'operator')::int, awaiting = $15, awaiting_since = $16
    WHERE thread_id = $2
    RETURNING thread_id, marketplace_id, last_seq, from_buyer, from_seller, from_operator
)
INSERT INTO message (message_id, marketplace_id, thread_id, seq, posted_at, sender_kind, sender_id, sender_name,
                     sender_side, sender_organisation_id, sender_organisation_name, on_behalf_of, acted_by,
                     acted_by_name, automatic, text, contacts, from_buyer, from_seller, from_operator)
SELECT $1, marketplace_id, thread_id, last_seq, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $17::jsonb,
       from_buyer, from_seller, from_operator
FROM moved
RETURNING *;

-- name: messages_before
SELECT * FROM message WHERE thread_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3;

-- name: messages_after
SELECT * FROM message WHERE thread_id = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: last_messages
SELECT m.* FROM unnest($1::uuid[], $2::bigint[]) AS b (thread_id, seq)
JOIN message m ON m.thread_id = b.thread_id AND m.seq = b.seq;

-- name: counts_at
-- The counters as of a message; all zero for 0.
SELECT from_buyer, from_seller, from_operator FROM message WHERE thread_id = $1 AND seq = $2
UNION ALL SELECT 0, 0, 0 WHERE $2 = 0;

-- name: move_cursor
-- $8: whether it may go back. A cursor that would go back otherwise stays.
INSERT INTO thread_read AS r (thread_id, reader_id, marketplace_id, last_read_seq, read_buyer, read_seller,
                              read_operator, read_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $9)
ON CONFLICT (thread_id, reader_id) DO UPDATE
SET last_read_seq = excluded.last_read_seq, read_buyer = excluded.read_buyer, read_seller = excluded.read_seller,
    read_operator = excluded.read_operator, read_at = excluded.read_at
WHERE $8::boolean OR excluded.last_read_seq > r.last_read_seq;

-- name: posted_since
-- For the live stream: messages of all marketplaces since a moment, with what decides who may know of them.
SELECT m.message_id, m.seq, m.posted_at, m.sender_side, m.on_behalf_of, t.thread_id, t.marketplace_id, t.order_id,
       t.order_number, t.kind, t.buyer_organisation_id, t.buyer_person_id, t.seller_organisation_id
FROM message m JOIN thread t ON t.thread_id = m.thread_id
WHERE m.posted_at > $1 ORDER BY m.posted_at, m.message_id LIMIT $2;

-- name: add_attachment
INSERT INTO attachment (attachment_id, marketplace_id, thread_id, file_name, media_type, bytes, sha256, side,
                        uploaded_by, uploaded_at, content, thumbnail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: count_attachments
-- Of a thread, and of those that somebody has uploaded and not posted anywhere since a moment.
SELECT (SELECT count(*) FROM attachment WHERE thread_id = $1) AS of_thread,
       (SELECT count(*) FROM attachment WHERE uploaded_by = $2 AND message_id IS NULL AND uploaded_at > $3) AS waiting;

-- name: waiting_attachments
-- Locked until the transaction ends: what is being posted is neither posted elsewhere nor deleted.
SELECT attachment_id, message_id, position, file_name, media_type, bytes, sha256 FROM attachment
WHERE attachment_id = ANY ($1::uuid[]) AND thread_id = $2 AND uploaded_by = $3 AND message_id IS NULL
ORDER BY attachment_id FOR UPDATE;

-- name: post_attachments
UPDATE attachment AS a SET message_id = $1, position = b.position
FROM unnest($2::uuid[]) WITH ORDINALITY AS b (attachment_id, position)
WHERE a.attachment_id = b.attachment_id AND a.message_id IS NULL;

-- name: attachments_of
SELECT attachment_id, message_id, position, file_name, media_type, bytes, sha256 FROM attachment
WHERE message_id = ANY ($1::uuid[]) ORDER BY message_id, position;

-- name: read_attachment
-- $3: the small picture of it, not the whole file.
SELECT a.attachment_id, a.position, a.file_name, a.media_type, a.sha256, a.side, a.uploaded_by, t.kind AS thread_kind,
       CASE WHEN $3::boolean THEN a.thumbnail ELSE a.content END AS content
FROM attachment a JOIN thread t ON t.thread_id = a.thread_id
WHERE a.attachment_id = $1 AND t.order_id = $2;

-- name: forget_attachments
-- Uploads that nobody posted.
DELETE FROM attachment WHERE attachment_id IN (
    SELECT attachment_id FROM attachment WHERE message_id IS NULL AND uploaded_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- name: thread_by_id
SELECT * FROM thread WHERE thread_id = $1;

-- name: writers
-- Everybody who may be in the thread of these two organisations.
SELECT person_id, organisation_id, organisation_kind, name, roles FROM member
WHERE marketplace_id = $1 AND active AND (organisation_id IN ($2, $3) OR 'operator' = ANY (roles));

-- name: take_mail
-- True where it has not been taken before.
INSERT INTO mail_answer (marketplace_id, thread_id, person_id, digest, received_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true;

-- name: forget_mails
DELETE FROM mail_answer WHERE ctid IN (SELECT ctid FROM mail_answer WHERE received_at < $1 LIMIT $2);
