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

-- name: keys_gathered
-- All of them, from whichever index gives them soonest, and then sorted: OFFSET 0 keeps the planner from walking in order.
SELECT u.*
FROM ({branches} OFFSET 0) AS u
ORDER BY {order}

-- name: keys_any
SELECT u.id
FROM ({branches}) AS u

-- name: keys_walked
-- What fits among the first orders by amount, however few that are: the filters are outside of the limit.
SELECT o.id, o.total_minor
FROM ({walk}) AS o
WHERE {conditions}
ORDER BY {order}

-- name: walked_total
SELECT o.id, o.total_minor, o.placed_at, o.status, o.phase, o.channel, o.money, o.issue, o.overdue, o.over
FROM orders AS o
WHERE {conditions}

-- name: walked_page
SELECT u.*
FROM ({branches}) AS u
ORDER BY {order}

-- name: any_status
(o.status = ANY (:statuses) OR o.over = ANY (:statuses))

-- name: page_of_keys
SELECT o.id, o.card, o.placed_at, o.total_minor, o.status
FROM ({keys}) AS k JOIN orders AS o ON o.id = k.id
ORDER BY {order}

-- name: scope_operator
o.marketplace_id = :marketplace

-- name: scope_seller
o.marketplace_id = :marketplace AND o.seller_org = :own_seller AND o.known

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
o.phase = ANY (:phases)

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
(o.customer_name_lc LIKE :customer OR o.customer_email_lc LIKE :customer)

-- name: own_status
o.status = :own_status

-- name: over_any
o.over = ANY (:statuses)

-- name: walk_placed_at
-- Columns of the index that the list is walked by, and no others: the orders themselves are not looked at.
SELECT o.id, o.search, o.placed_at
FROM orders AS o
WHERE {conditions}

-- name: walk_total
SELECT o.id, o.search, o.total_minor, o.placed_at
FROM orders AS o
WHERE {conditions}

-- name: walk_page
SELECT u.id, u.search, u.placed_at
FROM ({branches}) AS u
ORDER BY {order}

-- name: hits
SELECT w.id FROM ({walk}) AS w
WHERE w.search LIKE :pattern{further}
LIMIT :most

-- name: sample
-- How many orders were walked, from when to when, and the first hits among them.
SELECT count(*) AS walked, min(w.placed_at) AS first, max(w.placed_at) AS last,
       coalesce((array_agg(w.id) FILTER (WHERE w.search LIKE :pattern{further}))[:(:most)], '{}') AS hits
FROM ({walk}) AS w

-- name: frequencies
-- How many of the walked orders have each of the words.
WITH w AS MATERIALIZED ({walk})
SELECT (SELECT count(*) FROM w WHERE w.search LIKE p.word) AS orders
FROM unnest(:words) WITH ORDINALITY AS p (word, place) ORDER BY p.place

-- name: collect
-- All hits among the walked orders, and how many were walked.
SELECT count(*) AS walked, coalesce(array_agg(w.id) FILTER (WHERE w.search LIKE :pattern{further}), '{}') AS hits
FROM ({walk}) AS w

-- name: walk_total_page
SELECT u.id, u.search, u.total_minor
FROM ({branches}) AS u
ORDER BY {order}

-- name: collect_by_total
-- The first of these by amount.
SELECT c.walked, ARRAY(
    SELECT o.id FROM unnest(c.ids, c.totals) AS o (id, total_minor) WHERE {after} ORDER BY {order} LIMIT :most) AS hits
FROM (
    SELECT count(*) AS walked, array_agg(h.id) FILTER (WHERE h.hit) AS ids, array_agg(h.total_minor) FILTER (WHERE h.hit) AS totals
    FROM (SELECT w.id, w.total_minor, w.search LIKE :pattern{further} AS hit FROM ({walk}) AS w OFFSET 0) AS h
) AS c

-- name: hit_of_customer
AND (SELECT c.customer_name_lc LIKE :customer OR c.customer_email_lc LIKE :customer FROM orders AS c WHERE c.id = w.id)

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
