-- Lists and totals without looking at each thread twice: what is reached says what they need, and one page of a list
-- is read in the order of an index, however many threads there are.
DROP FUNCTION reached(uuid, uuid, uuid, uuid);
DROP FUNCTION unread_of(text, thread, thread_read);

-- What is unread for a side: what the others wrote beyond what was read. An operator is asked for its conversations
-- with sellers and for those that it has joined; the others it may look at without being told of every message.
CREATE FUNCTION unread_of(side text, kind text, from_buyer bigint, from_seller bigint, from_operator bigint,
                          read_buyer bigint, read_seller bigint, read_operator bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE side
    WHEN 'buyer' THEN from_seller + from_operator - coalesce(read_seller + read_operator, 0)
    WHEN 'seller' THEN from_buyer + from_operator - coalesce(read_buyer + read_operator, 0)
    WHEN 'operator' THEN CASE WHEN kind = 'seller_operator' OR from_operator > 0
        THEN from_buyer + from_seller - coalesce(read_buyer + read_seller, 0) ELSE 0 END
END;

-- The threads with messages that a reader may see, each once and with the side on which the reader stands there.
-- The same as policy.Reach.side_of: person, seller, buyer; null reaches nothing. (An operator reaches the marketplace.)
CREATE FUNCTION reached(as_person uuid, as_seller uuid, as_buyer uuid)
RETURNS TABLE (thread_id uuid, side text, kind text, from_buyer bigint, from_seller bigint, from_operator bigint,
               awaiting text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT t.thread_id, 'buyer', t.kind, t.from_buyer, t.from_seller, t.from_operator, t.awaiting FROM thread t
    WHERE t.buyer_person_id = as_person AND t.kind = 'buyer_seller' AND t.last_seq > 0
    UNION ALL
    SELECT t.thread_id, 'seller', t.kind, t.from_buyer, t.from_seller, t.from_operator, t.awaiting FROM thread t
    WHERE t.seller_organisation_id = as_seller AND t.last_seq > 0
      AND (as_person IS NULL OR t.buyer_person_id IS DISTINCT FROM as_person)
    UNION ALL
    SELECT t.thread_id, 'buyer', t.kind, t.from_buyer, t.from_seller, t.from_operator, t.awaiting FROM thread t
    WHERE t.buyer_organisation_id = as_buyer AND t.kind = 'buyer_seller' AND t.last_seq > 0
      AND (as_person IS NULL OR t.buyer_person_id IS DISTINCT FROM as_person)
      AND (as_seller IS NULL OR t.seller_organisation_id IS DISTINCT FROM as_seller)
$$;
