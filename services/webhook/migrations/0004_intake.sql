-- Intake as functions: in one statement it is one way to the database and back, where it was six for each event. Functions
-- in a language that keeps its plans, that is: a plan costs more than running it.

-- The same as before, with a plan that is kept.
CREATE OR REPLACE FUNCTION seen_after(seen bigint, beyond bigint[]) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT coalesce(max(r.x), seen)
            FROM (SELECT u.x, row_number() OVER (ORDER BY u.x) AS n
                  FROM (SELECT DISTINCT b.x FROM unnest(beyond) AS b(x) WHERE b.x > seen) AS u) AS r
            WHERE r.x = seen + r.n);
END $$;

-- Lets the head of each lane of these streams go, where nothing before it is missing any more; the endpoints of them.
CREATE FUNCTION free_lanes(streams uuid[], moment timestamptz) RETURNS SETOF uuid
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH lane AS MATERIALIZED (
        SELECT DISTINCT w.endpoint_id, w.stream_id FROM pending AS w
        WHERE w.stream_id = ANY (streams) AND w.ordered AND w.next_attempt_at = 'infinity'
    ), freed AS (
        UPDATE pending AS p SET next_attempt_at = moment
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
        WHERE d.endpoint_id IN (SELECT endpoint_id FROM freed) AND d.due_at > greatest(d.gate_until, moment)
        ORDER BY d.endpoint_id FOR NO KEY UPDATE OF d
    ), woken AS (
        UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, moment)) FROM asleep
        WHERE d.endpoint_id = asleep.endpoint_id
    )
    SELECT DISTINCT f.endpoint_id FROM freed AS f;
END $$;

-- Keeps a batch of events, queues each for every endpoint that wants it and may know of it, and wakes those endpoints;
-- returns those that have something to send at once. The arrays are the columns of `message`, one event in each place.
CREATE FUNCTION take_in(
    event_ids uuid[], marketplaces uuid[], types text[], versions smallint[], streams uuid[], sequences bigint[],
    orders uuid[], occurred timestamptz[], audiences smallint[], buyers uuid[], sellers uuid[], channels text[],
    actions text[], phases text[], traceparents text[], contents bytea[], moment timestamptz
) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE
    closed uuid[];
BEGIN
    -- Locks the streams (in the order of their ids) and notes what was seen of them.
    INSERT INTO stream AS s (stream_id, marketplace_id, seen_through, beyond, gap_since, updated_at)
    SELECT i.stream_id, i.marketplace_id, n.seen,
           ARRAY(SELECT x FROM unnest(i.sequences) AS x WHERE x > n.seen),
           CASE WHEN EXISTS (SELECT FROM unnest(i.sequences) AS x WHERE x > n.seen) THEN moment END, moment
    FROM (SELECT u.stream_id, (array_agg(u.marketplace_id))[1] AS marketplace_id, array_agg(u.sequence) AS sequences
          FROM unnest(streams, marketplaces, sequences) AS u(stream_id, marketplace_id, sequence)
          GROUP BY u.stream_id) AS i
    CROSS JOIN LATERAL (SELECT seen_after(0, i.sequences) AS seen) AS n
    ORDER BY i.stream_id
    ON CONFLICT (stream_id) DO UPDATE SET
        seen_through = seen_after(greatest(s.seen_through, excluded.seen_through), s.beyond || excluded.beyond),
        beyond = ARRAY(SELECT x FROM unnest(s.beyond || excluded.beyond) AS x
                       WHERE x > seen_after(greatest(s.seen_through, excluded.seen_through),
                                            s.beyond || excluded.beyond)),
        gap_since = CASE WHEN EXISTS (
                        SELECT FROM unnest(s.beyond || excluded.beyond) AS x
                        WHERE x > seen_after(greatest(s.seen_through, excluded.seen_through),
                                             s.beyond || excluded.beyond))
                    THEN coalesce(s.gap_since, excluded.updated_at) END,
        updated_at = excluded.updated_at;

    -- A statement of its own: what it sees of the queue is later than the locks, so the heads of lanes are as they are.
    RETURN QUERY
    WITH event AS (
        SELECT e.*, e.sequence <= s.seen_through AS in_reach
        FROM unnest(event_ids, marketplaces, types, versions, streams, sequences, orders, occurred, audiences, buyers,
                    sellers, channels, actions, phases, traceparents, contents) WITH ORDINALITY
            AS e(event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at, audience,
                 buyer_organisation_id, seller_organisation_id, channel, action, phase, traceparent, data, ordinal)
        JOIN stream AS s ON s.stream_id = e.stream_id
    ), kept AS (
        INSERT INTO message (event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at,
                             audience, buyer_organisation_id, seller_organisation_id, channel, action, phase,
                             traceparent, data, ordinal, received_at)
        SELECT e.event_id, e.marketplace_id, e.type, e.version, e.stream_id, e.sequence, e.order_id, e.occurred_at,
               e.audience, e.buyer_organisation_id, e.seller_organisation_id, e.channel, e.action, e.phase,
               e.traceparent, e.data, e.ordinal, moment
        FROM event AS e
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
        SELECT w.*, uuid_at(moment) AS delivery_id,
               CASE WHEN NOT w.ordered THEN moment
                    WHEN NOT w.in_reach THEN 'infinity'
                    WHEN row_number() OVER (PARTITION BY w.endpoint_id, w.stream_id ORDER BY w.sequence) > 1
                        THEN 'infinity'
                    WHEN (SELECT q.sequence FROM pending AS q
                          WHERE q.stream_id = w.stream_id AND q.endpoint_id = w.endpoint_id AND q.ordered
                          ORDER BY q.sequence LIMIT 1) < w.sequence THEN 'infinity'
                    ELSE moment END AS due
        FROM wanted AS w
        WHERE w.eyes <> 0
    ), queued AS (
        INSERT INTO pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                             order_id, eyes, ordered, origin, next_attempt_at, created_at)
        SELECT p.endpoint_id, p.delivery_id, p.marketplace_id, p.event_id, moment, p.type, p.stream_id, p.sequence,
               p.order_id, p.eyes, p.ordered, 'event', p.due, moment
        FROM placed AS p WHERE p.status <> 'disabled'
    ), held AS (
        INSERT INTO delivery (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
                              order_id, eyes, origin, state, attempts, deferrals, tries, last_error, created_at,
                              finished_at)
        SELECT p.endpoint_id, p.delivery_id, p.marketplace_id, p.event_id, moment, p.type, p.stream_id, p.sequence,
               p.order_id, p.eyes, 'event', 'held', 0, 0, 0, 'the endpoint was disabled', moment, moment
        FROM placed AS p WHERE p.status = 'disabled'
    ), ready AS (
        SELECT DISTINCT p.endpoint_id FROM placed AS p
        WHERE p.status = 'active' AND p.handshake <> 'required' AND p.due <= moment
    ), asleep AS (
        SELECT d.endpoint_id FROM drain AS d JOIN ready USING (endpoint_id)
        WHERE d.due_at > greatest(d.gate_until, moment)
        ORDER BY d.endpoint_id FOR NO KEY UPDATE OF d
    ), woken AS (
        UPDATE drain AS d SET due_at = least(d.due_at, greatest(d.gate_until, moment))
        FROM asleep WHERE d.endpoint_id = asleep.endpoint_id
    )
    SELECT ready.endpoint_id FROM ready;

    -- Where what is seen now reaches further than these events themselves, what came before them may go too.
    SELECT array_agg(came.stream_id) INTO closed
    FROM (SELECT u.stream_id, min(u.sequence) AS first, array_agg(u.sequence) AS all_of_them
          FROM unnest(streams, sequences) AS u(stream_id, sequence) GROUP BY u.stream_id) AS came
    JOIN stream AS s ON s.stream_id = came.stream_id
    WHERE came.first <= s.seen_through
      AND s.seen_through - came.first + 1 <> (SELECT count(DISTINCT x) FROM unnest(came.all_of_them) AS x
                                              WHERE x <= s.seen_through);
    IF closed IS NOT NULL THEN
        RETURN QUERY SELECT free_lanes(closed, moment);
    END IF;
END $$;

-- Takes up to `room` due deliveries of each endpoint until the endpoint's deadline and `lease_seconds` from `moment`.
-- While the breaker is open one delivery at a time goes out as a probe; a rate limit leaves at most a second's worth.
-- Each row is found by the one index that has the order asked for, and changed by its place: a row that was changed
-- meanwhile is not at its place any more.
CREATE FUNCTION claim_due(
    endpoints uuid[], rooms int[], in_hands int[], moment timestamptz, lease_seconds float8, breaker_failures int
) RETURNS TABLE (
    endpoint_id uuid, delivery_id uuid, marketplace_id uuid, event_id uuid, message_at timestamptz, type text,
    stream_id uuid, ordered boolean, eyes smallint, origin text, claim int, attempts int, deferrals int, tries int,
    version int
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH want AS (
        SELECT e.endpoint_id, e.version, e.rate_limit,
               moment + make_interval(secs => e.timeout_ms / 1000.0 + lease_seconds) AS lease_until,
               least(CASE WHEN d.failures >= breaker_failures THEN greatest(0, 1 - w.in_hand) ELSE w.room END,
                     CASE WHEN e.rate_limit IS NOT NULL THEN floor(
                         (extract(epoch FROM moment - greatest(d.paid_until, moment)) + greatest(1, 1 / e.rate_limit))
                         * e.rate_limit + 0.000001)::int END) AS room
        FROM unnest(endpoints, rooms, in_hands) AS w(endpoint_id, room, in_hand)
        JOIN endpoint AS e USING (endpoint_id)
        JOIN drain AS d USING (endpoint_id)
        WHERE e.status = 'active' AND e.handshake <> 'required' AND d.gate_until <= moment
    ), picked AS (
        SELECT p.place, want.endpoint_id, want.version, want.lease_until, want.rate_limit
        FROM want CROSS JOIN LATERAL (
            SELECT q.ctid AS place FROM pending AS q
            WHERE q.endpoint_id = want.endpoint_id AND q.next_attempt_at <= moment
            ORDER BY q.next_attempt_at LIMIT greatest(0, want.room) FOR UPDATE SKIP LOCKED) AS p
    ), paid AS (
        UPDATE drain AS d
        SET paid_until = greatest(d.paid_until, moment) + make_interval(secs => c.n / c.rate_limit)
        FROM (SELECT k.endpoint_id, k.rate_limit::float8 AS rate_limit, count(*)::float8 AS n
              FROM picked AS k WHERE k.rate_limit IS NOT NULL GROUP BY 1, 2 ORDER BY 1) AS c
        WHERE d.endpoint_id = c.endpoint_id
    )
    UPDATE pending AS p SET next_attempt_at = k.lease_until, leased = true, claim = p.claim + 1
    FROM picked AS k
    WHERE p.ctid = k.place
    RETURNING p.endpoint_id, p.delivery_id, p.marketplace_id, p.event_id, p.message_at, p.type, p.stream_id, p.ordered,
              p.eyes, p.origin, p.claim, p.attempts, p.deferrals, p.tries, k.version;
END $$;

-- The whole effect of a batch of different events, the inbox too, in a transaction that does not wait for the disk. A
-- first row has the endpoints with something to send at once; the others are what could be claimed for those of them
-- that are `takers`. No row, and nothing done, where the inbox does not take all of the events.
CREATE FUNCTION take_in_at_once(
    event_ids uuid[], marketplaces uuid[], types text[], versions smallint[], streams uuid[], sequences bigint[],
    orders uuid[], occurred timestamptz[], audiences smallint[], buyers uuid[], sellers uuid[], channels text[],
    actions text[], phases text[], traceparents text[], contents bytea[], moment timestamptz,
    takers uuid[], rooms int[], in_hands int[], lease_seconds float8, breaker_failures int
) RETURNS TABLE (
    ready uuid[], endpoint_id uuid, delivery_id uuid, marketplace_id uuid, event_id uuid, message_at timestamptz,
    type text, stream_id uuid, ordered boolean, eyes smallint, origin text, claim int, attempts int, deferrals int,
    tries int, version int
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found uuid[];
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF NOT claim_all_events(event_ids, marketplaces) THEN
        RETURN;
    END IF;
    found := ARRAY(SELECT take_in(event_ids, marketplaces, types, versions, streams, sequences, orders, occurred,
                                  audiences, buyers, sellers, channels, actions, phases, traceparents, contents,
                                  moment));
    ready := found;
    RETURN NEXT;
    IF found && takers THEN
        RETURN QUERY SELECT NULL::uuid[], c.* FROM claim_due(
            ARRAY(SELECT t.taker FROM unnest(takers) AS t(taker) WHERE t.taker = ANY (found)),
            ARRAY(SELECT t.room FROM unnest(takers, rooms) AS t(taker, room) WHERE t.taker = ANY (found)),
            ARRAY(SELECT t.in_hand FROM unnest(takers, in_hands) AS t(taker, in_hand) WHERE t.taker = ANY (found)),
            moment, lease_seconds, breaker_failures) AS c;
    END IF;
END $$;
