-- Intake: what comes from the topics, and where it goes.

-- name: see_streams
-- Locks the streams of a batch (in the order of their ids) and notes what was seen of them.
INSERT INTO stream AS s (stream_id, marketplace_id, seen_through, beyond, gap_since, updated_at)
SELECT i.stream_id, i.marketplace_id, n.seen,
       ARRAY(SELECT x FROM unnest(i.sequences) AS x WHERE x > n.seen),
       CASE WHEN EXISTS (SELECT FROM unnest(i.sequences) AS x WHERE x > n.seen) THEN $4::timestamptz END, $4
FROM (SELECT u.stream_id, u.marketplace_id, u.sequences::bigint[] AS sequences
      FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS u(stream_id, marketplace_id, sequences)) AS i
CROSS JOIN LATERAL (SELECT seen_after(0, i.sequences) AS seen) AS n
ORDER BY i.stream_id
ON CONFLICT (stream_id) DO UPDATE SET
    seen_through = seen_after(greatest(s.seen_through, excluded.seen_through), s.beyond || excluded.beyond),
    beyond = ARRAY(SELECT x FROM unnest(s.beyond || excluded.beyond) AS x
                   WHERE x > seen_after(greatest(s.seen_through, excluded.seen_through), s.beyond || excluded.beyond)),
    gap_since = CASE WHEN EXISTS (
                    SELECT FROM unnest(s.beyond || excluded.beyond) AS x
                    WHERE x > seen_after(greatest(s.seen_through, excluded.seen_through), s.beyond || excluded.beyond))
                THEN coalesce(s.gap_since, excluded.updated_at) END,
    updated_at = excluded.updated_at
RETURNING s.stream_id, s.seen_through;

-- name: fan_out
-- Keeps each event, queues it for every endpoint that wants it and may know of it, and wakes those endpoints.
-- Runs after see_streams in its transaction: the streams' locks make sure that the heads of lanes are seen as they are.
WITH event AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[], $5::uuid[], $6::bigint[], $7::uuid[],
                         $8::timestamptz[], $9::smallint[], $10::uuid[], $11::uuid[], $12::text[], $13::text[],
                         $14::text[], $15::text[], $16::bytea[], $17::bool[]) WITH ORDINALITY
        AS e(event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at, audience,
             buyer_organisation_id, seller_organisation_id, channel, action, phase, traceparent, data, in_reach, ordinal)
), kept AS (
    INSERT INTO message (event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at, audience,
                         buyer_organisation_id, seller_organisation_id, channel, action, phase, traceparent, data,
                         ordinal, received_at)
    SELECT event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at, audience,
           buyer_organisation_id, seller_organisation_id, channel, action, phase, traceparent, data, ordinal, $18
    FROM event
), wanted AS (
    SELECT e.event_id, e.marketplace_id, e.type, e.stream_id, e.sequence, e.order_id, e.in_reach,
           p.endpoint_id, p.ordered, p.status, p.handshake,
           e.audience & (CASE WHEN p.organisation_id = e.buyer_organisation_id THEN 1 ELSE 0 END
                         | CASE WHEN p.organisation_id = e.seller_organisation_id THEN 2 ELSE 0 END
                         | CASE WHEN p.is_operator THEN 4 ELSE 0 END) AS eyes
    FROM event AS e
    JOIN endpoint AS p ON p.marketplace_id = e.marketplace_id
    WHERE p.status <> 'deleted'
      AND p.event_types && ARRAY['*', e.type, split_part(e.type, '.', 1) || '.*']
      AND (p.channels IS NULL OR e.channel IS NULL OR e.channel = ANY (p.channels))
      AND (p.sellers IS NULL OR e.seller_organisation_id IS NULL OR e.seller_organisation_id = ANY (p.sellers))
      AND (p.actions IS NULL OR e.action IS NULL OR e.action = ANY (p.actions))
      AND (p.phases IS NULL OR e.phase IS NULL OR e.phase = ANY (p.phases))
), placed AS (
    SELECT w.*, uuid_at($18) AS delivery_id,
           CASE WHEN NOT w.ordered THEN $18
                WHEN NOT w.in_reach THEN 'infinity'
                WHEN row_number() OVER (PARTITION BY w.endpoint_id, w.stream_id ORDER BY w.sequence) > 1 THEN 'infinity'
                WHEN (SELECT q.sequence FROM pending AS q
                      WHERE q.stream_id = w.stream_id AND q.endpoint_id = w.endpoint_id AND q.ordered
                      ORDER BY q.sequence LIMIT 1) < w.sequence THEN 'infinity'
                ELSE $18 END AS next_attempt_at
    FROM wanted AS w
    WHERE w.eyes <> 0
), queued AS (
    INSERT INTO pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                         order_id, eyes, ordered, origin, next_attempt_at, created_at)
    SELECT endpoint_id, delivery_id, marketplace_id, event_id, $18, type, stream_id, sequence,
           order_id, eyes, ordered, 'event', next_attempt_at, $18
    FROM placed WHERE status <> 'disabled'
), held AS (
    INSERT INTO delivery (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                          order_id, eyes, origin, state, attempts, deferrals, tries, last_error, created_at, finished_at)
    SELECT endpoint_id, delivery_id, marketplace_id, event_id, $18, type, stream_id, sequence,
           order_id, eyes, 'event', 'held', 0, 0, 0, 'the endpoint was disabled', $18, $18
    FROM placed WHERE status = 'disabled'
), ready AS (
    SELECT DISTINCT endpoint_id FROM placed
    WHERE status = 'active' AND handshake <> 'required' AND next_attempt_at <= $18
), asleep AS (
    SELECT d.endpoint_id FROM drain AS d JOIN ready USING (endpoint_id)
    WHERE d.due_at > greatest(d.gate_until, $18)
    ORDER BY d.endpoint_id FOR NO KEY UPDATE OF d
), woken AS (
    UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, $18))
    FROM asleep WHERE d.endpoint_id = asleep.endpoint_id
)
SELECT endpoint_id FROM ready;

-- name: free_lanes
-- Lets the head of each lane of these streams go, where nothing before it is missing any more.
WITH lane AS MATERIALIZED (
    SELECT DISTINCT w.endpoint_id, w.stream_id FROM pending AS w
    WHERE w.stream_id = ANY ($1::uuid[]) AND w.ordered AND w.next_attempt_at = 'infinity'
), freed AS (
    UPDATE pending AS p SET next_attempt_at = $2
    FROM lane AS l
    CROSS JOIN LATERAL (
        SELECT q.ctid AS place, q.sequence, q.next_attempt_at FROM pending AS q
        WHERE q.stream_id = l.stream_id AND q.endpoint_id = l.endpoint_id AND q.ordered
        ORDER BY q.sequence LIMIT 1) AS h
    JOIN stream AS s ON s.stream_id = l.stream_id
    WHERE p.ctid = h.place AND h.next_attempt_at = 'infinity' AND h.sequence <= s.seen_through
    RETURNING p.endpoint_id
), asleep AS (
    SELECT d.endpoint_id FROM drain AS d
    WHERE d.endpoint_id IN (SELECT endpoint_id FROM freed) AND d.due_at > greatest(d.gate_until, $2)
    ORDER BY d.endpoint_id FOR NO KEY UPDATE OF d
), woken AS (
    UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, $2)) FROM asleep
    WHERE d.endpoint_id = asleep.endpoint_id
)
SELECT DISTINCT endpoint_id FROM freed;

-- name: expire_gaps
-- Streams whose missing event has been waited for long enough go on after the gap.
WITH late AS (
    SELECT stream_id, seen_through, beyond FROM stream
    WHERE gap_since <= $1 ORDER BY gap_since LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
), moved AS (
    SELECT stream_id, beyond, seen_after((SELECT min(x) FROM unnest(beyond) AS x), beyond) AS seen FROM late
)
UPDATE stream AS s
SET seen_through = m.seen,
    beyond = ARRAY(SELECT x FROM unnest(m.beyond) AS x WHERE x > m.seen),
    gap_since = CASE WHEN EXISTS (SELECT FROM unnest(m.beyond) AS x WHERE x > m.seen) THEN $3::timestamptz END
FROM moved AS m WHERE s.stream_id = m.stream_id
RETURNING s.stream_id;
