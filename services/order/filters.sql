-- Parts of the order list, no statements by themselves: `store/search.py` puts them together. `:name` is a parameter. Every column here has an
-- index or stands beside one that has; a test prepares and explains the combinations.

-- name: branch
SELECT o.id, o.card, o.placed_at, o.total_minor, o.status
FROM orders AS o
WHERE {conditions}

-- name: page
SELECT u.id, u.card, u.placed_at, u.total_minor, u.status
FROM ({branches}) AS u
ORDER BY {order}

-- name: keys_placed_at
-- Columns of the indexes that lists are filtered and sorted by, and no others: only a page's own orders are looked at.
SELECT o.id, o.placed_at
FROM orders AS o
WHERE {conditions}

-- name: keys_total
SELECT o.id, o.total_minor
FROM orders AS o
WHERE {conditions}

-- name: keys_status
SELECT o.id, o.status, o.placed_at
FROM orders AS o
WHERE {conditions}

-- name: keys_page
SELECT u.*
FROM ({branches}) AS u
ORDER BY {order}

-- name: keys_walked
-- What fits among the first orders of a list, however few that are: the filters are outside of the limit.
SELECT {columns}
FROM ({walk}) AS o
WHERE {conditions}
ORDER BY {order}

-- name: walked
-- What the indexes of lists have, and nothing else: `shown` would make it look at the orders.
SELECT o.id, o.total_minor, o.placed_at, o.status, o.phase, o.channel, o.money, o.issue, o.overdue, o.over
FROM orders AS o
WHERE {conditions}

-- name: walked_page
SELECT u.*
FROM ({branches}) AS u
ORDER BY {order}

-- name: combinations
-- Each combination of values that an order has and that fits, as the index of these has them: one look finds the next.
WITH RECURSIVE k (status, shown, money, issue, overdue, phase) AS (
    (SELECT o.status, o.shown, o.money, o.issue, o.overdue, o.phase FROM orders AS o
     WHERE {whose} ORDER BY o.status, o.shown, o.money, o.issue, o.overdue, o.phase LIMIT 1)
    UNION ALL
    SELECT n.* FROM k, LATERAL (
        SELECT o.status, o.shown, o.money, o.issue, o.overdue, o.phase FROM orders AS o
        WHERE {whose} AND (o.status, o.shown, o.money, o.issue, o.overdue, o.phase)
            > (k.status, k.shown, k.money, k.issue, k.overdue, k.phase)
        ORDER BY o.status, o.shown, o.money, o.issue, o.overdue, o.phase LIMIT 1) AS n
), v AS (SELECT o.* FROM k AS o WHERE {fitting})

-- name: statuses_of_combinations
{combinations}
SELECT DISTINCT v.status FROM v

-- name: statuses_of_all
-- Where orders of any combination fit.
WITH RECURSIVE v (status) AS (
    (SELECT o.status FROM orders AS o WHERE {whose} ORDER BY o.status LIMIT 1)
    UNION ALL
    SELECT n.* FROM v, LATERAL (
        SELECT o.status FROM orders AS o WHERE {whose} AND o.status > v.status ORDER BY o.status LIMIT 1) AS n
)
SELECT o.status FROM v AS o WHERE {fitting}

-- name: keys_of_combinations
-- The first of each combination that fits.
{combinations}
SELECT t.* FROM v, LATERAL ({keys}
    ORDER BY {order} LIMIT :limit) AS t

-- name: keys_by_status
-- The same, one status after the other: those that a page does not come to are not looked at.
{combinations}
SELECT t.* FROM unnest(ARRAY(SELECT DISTINCT v.status FROM v ORDER BY {by_status})) AS s (status), LATERAL (
    SELECT t.* FROM v, LATERAL ({keys}
        ORDER BY {order} LIMIT :limit) AS t
    WHERE v.status = s.status ORDER BY {order_of_status} LIMIT :limit) AS t
LIMIT :limit

-- name: all_of_combinations
{combinations}
SELECT t.* FROM v, LATERAL ({keys}) AS t

-- name: of_combination
(o.status, o.shown, o.money, o.issue, o.overdue, o.phase) = (v.status, v.shown, v.money, v.issue, v.overdue, v.phase)

-- name: gathered
-- The first in the list's order of all that fit, and how many these are: none where they are as many as may be.
WITH o AS MATERIALIZED ({branches} LIMIT :walked), w AS (SELECT count(*) AS walked FROM o)
SELECT w.walked, ARRAY(SELECT o.id FROM o WHERE w.walked < :walked ORDER BY {order} LIMIT :limit) AS hits
FROM w

-- name: gathered_with_text
-- The same, of those that have a text: for it the orders themselves are looked at, in the list's order, until the page is
-- full.
WITH o AS MATERIALIZED ({branches} LIMIT :walked), w AS (SELECT count(*) AS walked FROM o)
SELECT w.walked, ARRAY(
    SELECT o.id FROM (SELECT o.* FROM o WHERE w.walked < :walked ORDER BY {order} LIMIT :walked) AS o,
        LATERAL (SELECT FROM orders AS t WHERE t.id = o.id AND t.search LIKE :pattern{further} LIMIT 1) AS h
    LIMIT :limit) AS hits
FROM w

-- name: any_status
(o.status = ANY (:statuses) OR o.over = ANY (:statuses))

-- name: of_any_status
-- For orders that are found by their ids. IS TRUE keeps it out of the indexes: PostgreSQL 17 forgets a list of statuses
-- beside a comparison of rows that begin with the status.
((o.status = ANY (:statuses)) IS TRUE OR (o.over = ANY (:statuses)) IS TRUE)

-- name: any_status_or_shown
(o.status = ANY (:statuses) OR o.shown = ANY (:statuses))

-- name: of_seller
o.marketplace_id = :marketplace AND o.seller_org = :own_seller

-- name: of_buyer
o.marketplace_id = :marketplace AND o.buyer_org = :own_buyer

-- name: page_of_keys
SELECT o.id, o.card, o.placed_at, o.total_minor, o.status
FROM ({keys}) AS k JOIN orders AS o ON o.id = k.id
ORDER BY {order}

-- name: scope_operator
o.marketplace_id = :marketplace

-- name: scope_seller
o.marketplace_id = :marketplace AND o.seller_org = :own_seller AND o.known

-- name: within_seller
-- The same where an index begins with something else, and is not to be left for one that begins with the seller.
(o.seller_org = :own_seller) IS TRUE AND o.known

-- name: within_buyer
(o.buyer_org = :own_buyer) IS TRUE

-- name: scope_buyer
o.marketplace_id = :marketplace AND o.buyer_org = :own_buyer

-- name: scope_person
o.buyer_person = :own_person AND o.buyer_org = :own_buyer

-- name: not_scope_seller
NOT (o.seller_org = :own_seller AND o.known)

-- name: status
o.status = :status

-- name: shown
-- Statuses that are shown over the order's own, such as "refunded"; those found by their own status are not repeated.
o.over = :status AND o.status <> ALL (:statuses)

-- name: phase
o.phase = :phase

-- name: phases
-- IS TRUE for the same reason as with statuses.
(o.phase = ANY (:phases)) IS TRUE

-- name: channel
o.channel = :channel

-- name: seller
o.seller_org = :seller

-- name: buyer
o.buyer_org = :buyer

-- name: money
o.money = :money

-- name: issue
o.issue = :issue

-- name: some_issue
-- Said twice, so that the index of the few orders with an issue fits whatever the plan knows of the parameter.
o.issue = :issue AND o.issue <> 'none'

-- name: purchase
o.purchase_id = :purchase

-- name: ids
o.id = ANY (:ids)

-- name: external
o.external_id = :external

-- name: overdue
o.overdue

-- name: not_overdue
NOT o.overdue

-- name: placed_from
o.placed_at >= :placed_from

-- name: placed_to
o.placed_at < :placed_to

-- name: found
o.id = ANY (:found)

-- name: found_or_number
(o.id = ANY (:found) OR o.number = :number)

-- name: containing
o.search LIKE :pattern

-- name: containing_or_number
(o.search LIKE :pattern OR o.number = :number)

-- name: customer_containing
(' ' || o.customer_name_lc LIKE :customer OR ' ' || o.customer_email_lc LIKE :customer)

-- name: walk_placed_at
-- Columns of the indexes that lists are walked by, and no others: the orders themselves are not looked at.
SELECT o.id, o.search{has}, o.placed_at, o.status, o.phase, o.channel, o.money, o.issue, o.overdue, o.over
FROM orders AS o
WHERE {conditions}

-- name: walk_total
SELECT o.id, o.search{has}, o.total_minor, o.placed_at, o.status, o.phase, o.channel, o.money, o.issue, o.overdue, o.over
FROM orders AS o
WHERE {conditions}

-- name: walk_and_look
, o.search LIKE :pattern AS has

-- name: walk_page
SELECT u.*
FROM ({branches}) AS u
ORDER BY {order}

-- name: has
o.has

-- name: contains
o.search LIKE :pattern

-- name: hits
-- What else is asked for is looked at before the text, which takes longer.
SELECT o.id, o.{key} FROM ({walk}) AS o
WHERE CASE WHEN {values} THEN {text} END
LIMIT :most

-- name: hits_by_status
-- The same, one status after the other: the next one is begun where those before have not filled the page. What depends
-- on a row of its left side is looked for row by row, in the order of that side; a sort would look into the next status.
SELECT h.id, v.status, h.placed_at
FROM unnest(ARRAY(SELECT v.status FROM ({statuses}) AS v ORDER BY {by_status})) AS v (status), LATERAL ({hits}) AS h
LIMIT :most

-- name: page_of_hits
-- With the page's own orders, each looked up by itself.
SELECT o.* FROM ({keys}) AS k, LATERAL (
    SELECT o.id, o.card, o.placed_at, o.total_minor, o.status FROM orders AS o WHERE o.id = k.id LIMIT 1) AS o
ORDER BY {order}

-- name: of_status
o.status = v.status

-- name: of_status_or_over
o.status = v.status AND (v.status = ANY (:statuses) OR o.over = ANY (:statuses))

-- name: first_look
-- How many orders were walked, how many of them have the text and how many what else is asked for, the first hits among
-- them, and how many orders the marketplace has at most. Unless the hits are enough, or all that there are: names that have the text, and orders that have it, but not in their customer's name only; none
-- where those that were walked have it elsewhere. The index of these is asked for the rarest word of the walked orders,
-- or for the whole text where some have it.
WITH s AS MATERIALIZED (
    SELECT count(*) AS walked, ARRAY[{words}]::bigint[] AS with_word, count(*) FILTER (WHERE o.has) AS with_text,
           count(*) FILTER (WHERE {values}) AS fitting,
           coalesce((array_agg(o.id) FILTER (WHERE o.has))[:(:looked_at)], '{}') AS seen,
           coalesce((array_agg(o.id) FILTER (WHERE {values} AND {text}))[:(:most)], '{}') AS hits
    FROM ({walk}) AS o
), l AS MATERIALIZED (
    SELECT s.*, s.walked = :walked AND cardinality(s.hits) < :enough AS further, s.with_text >= :outside AND (
        SELECT count(*) >= :outside FROM orders AS o
        WHERE o.id = ANY (s.seen) AND strpos(' ' || o.customer_name_lc, :text) = 0) AS frequent,
        coalesce((
            SELECT p.part FROM unnest(:parts, s.with_word) AS p (part, orders)
            WHERE p.part <> '' AND p.orders < s.walked * :frequent AND s.with_text < :outside
            ORDER BY p.orders, length(p.part) DESC LIMIT 1), :text) AS part
    FROM s
)
SELECT l.walked, l.with_text, l.fitting, l.hits, l.frequent, l.further, l.part,
       (SELECT max(o.number) - min(o.number) + 1 FROM orders AS o WHERE o.marketplace_id = :marketplace) AS orders,
       ARRAY(SELECT customer_names_matching(:text, :most_names) WHERE l.further AND NOT l.frequent) AS names,
       ARRAY(SELECT orders_matching(l.part, :text, :most_found) WHERE l.further AND NOT l.frequent) AS ids,
       {shown_over} AS shown_over
FROM l

-- name: estimate
-- How many orders of the marketplace have what is asked for beside a text, as far as the planner's statistics tell.
EXPLAIN (FORMAT JSON) SELECT FROM orders AS o WHERE {conditions}

-- name: some_shown_over
EXISTS (SELECT FROM orders AS o WHERE o.marketplace_id = :marketplace AND o.over = ANY (:statuses))

-- name: word
count(*) FILTER (WHERE o.search LIKE (:words)[{place}])

-- name: of_names
-- The first hits in the list's order among all orders of some names, and how many were looked at: none where these are
-- as many as may be. The filters are outside of that limit, so that it bounds what is looked at; what is kept is narrow.
{with} o AS MATERIALIZED (
    SELECT {kept}, {conditions} AS fits FROM ({entries} LIMIT :walked) AS o
), w AS (SELECT count(*) AS walked FROM o)
SELECT w.walked, ARRAY(
    SELECT o.id FROM o WHERE o.fits AND w.walked < :walked ORDER BY {order} LIMIT :most) AS hits
FROM w

-- name: of_names_by_status
-- The same of a list by status, one status after the other: the next one is begun where those before have not filled the
-- page. Where as many orders of a status were looked at as may be, that one comes first, and tells it.
{with} h AS (
    SELECT h.id, h.place
    FROM unnest(ARRAY(SELECT DISTINCT v.status FROM v ORDER BY {by_status})) AS s (status), LATERAL (
        SELECT o.id, CASE o.place WHEN :walked THEN o.place ELSE 0 END AS place FROM (
            SELECT {kept}, {conditions} AS fits, row_number() OVER () AS place FROM ({entries} LIMIT :walked) AS o) AS o
        WHERE o.fits OR o.place = :walked
        ORDER BY o.place = :walked DESC, {order} LIMIT :most) AS h
    LIMIT :most)
SELECT coalesce(max(h.place), 0) AS walked, coalesce(array_agg(h.id), '{}') AS hits FROM h

-- name: entries
SELECT {columns}
FROM orders AS o
WHERE {conditions}

-- name: entries_of_combinations
-- Those of each name and each combination that fits. The inner limit is never reached: it keeps these looks apart.
SELECT e.* FROM unnest(:names) AS n (name), v, LATERAL ({entries} LIMIT :walked) AS e
WHERE {which}

-- name: overdue_or_not
-- Says nothing, but lets the index go on to what stands behind it.
o.overdue = ANY ('{f,t}')

-- name: own_statuses
o.status = ANY (:statuses)

-- name: of_this_status
v.status = s.status

-- name: shown_only
v.shown = ANY (:statuses) AND v.status <> ALL (:statuses)

-- name: named
-- Said as the index of names says it.
o.customer_name_lc = ANY (:names) AND octet_length(o.customer_name_lc) <= 400

-- name: of_name
o.customer_name_lc = n.name AND octet_length(o.customer_name_lc) <= 400

-- name: hit_of_customer
(SELECT ' ' || c.customer_name_lc LIKE :customer OR ' ' || c.customer_email_lc LIKE :customer
 FROM orders AS c WHERE c.id = {t}.id)

-- name: order_placed_at
{t}.placed_at, {t}.id

-- name: order_placed_at_desc
{t}.placed_at DESC, {t}.id DESC

-- name: order_total
{t}.total_minor, {t}.id

-- name: order_total_desc
{t}.total_minor DESC, {t}.id DESC

-- name: order_status
{t}.status, {t}.placed_at, {t}.id

-- name: order_status_desc
{t}.status DESC, {t}.placed_at DESC, {t}.id DESC

-- name: after_placed_at
(o.placed_at, o.id) > (:a, :b)

-- name: after_placed_at_desc
(o.placed_at, o.id) < (:a, :b)

-- name: after_total
(o.total_minor, o.id) > (:a, :b)

-- name: after_total_desc
(o.total_minor, o.id) < (:a, :b)

-- name: after_status
(o.status, o.placed_at, o.id) > (:a, :b, :c)

-- name: after_status_desc
(o.status, o.placed_at, o.id) < (:a, :b, :c)

-- name: from_status
o.status >= :a

-- name: from_status_desc
o.status <= :a

-- name: after_in_status
-- Within the status that the last page ended in; of the following statuses all, from the first date that is asked for.
(o.placed_at, o.id) > (CASE v.status WHEN :a THEN :b ELSE {first} END,
                       CASE v.status WHEN :a THEN :c ELSE '00000000-0000-0000-0000-000000000000' END)

-- name: after_in_status_desc
(o.placed_at, o.id) < (CASE v.status WHEN :a THEN :b ELSE {first} END,
                       CASE v.status WHEN :a THEN :c ELSE '00000000-0000-0000-0000-000000000000' END)
