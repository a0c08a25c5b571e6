-- What any filters together leave, wherever they stand in the index: those that are not asked for are skipped value by
-- value, as there are few. Filters that exclude each other are found to leave nothing at once. See docs/decisions/0090.
CREATE INDEX orders_by_filters ON orders (marketplace_id, status, over, money, issue, overdue, channel, phase, placed_at, id,
    total_minor, known, seller_org, buyer_org);
