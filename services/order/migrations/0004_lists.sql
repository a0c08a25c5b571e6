-- Lists that take as long at a million orders as at ten thousand. See docs/decisions/0090.

-- What is searched has to fit into an index entry (2,704 bytes with the filters beside it): names are shorter than this.
UPDATE orders SET search = left(search, 500) WHERE octet_length(search) > 2000;

-- Each walks the list of a marketplace, a seller or a buyer in one order of sorting. What lists are filtered by stands
-- behind the sort key: an entry that does not fit is passed over within the index, without a look at the order. A filter
-- that few orders pass and that has no index of its own costs 16 ms per 100,000 orders walked, not 500.
DROP INDEX orders_placed, orders_total, orders_seller_placed, orders_seller_total, orders_buyer_placed, orders_buyer_total;
CREATE INDEX orders_by_placed ON orders (marketplace_id, placed_at, id,
    status, phase, channel, money, issue, overdue, over, search);
CREATE INDEX orders_by_total ON orders (marketplace_id, total_minor, id,
    status, phase, channel, money, issue, overdue, over, placed_at, search);
CREATE INDEX orders_seller_by_placed ON orders (marketplace_id, seller_org, placed_at, id,
    status, phase, channel, money, issue, overdue, over, known, buyer_org, search);
CREATE INDEX orders_seller_by_total ON orders (marketplace_id, seller_org, total_minor, id,
    status, phase, channel, money, issue, overdue, over, placed_at, known, buyer_org, search);
CREATE INDEX orders_buyer_by_placed ON orders (marketplace_id, buyer_org, placed_at, id,
    status, phase, channel, money, issue, overdue, over, known, seller_org, search);
CREATE INDEX orders_buyer_by_total ON orders (marketplace_id, buyer_org, total_minor, id,
    status, phase, channel, money, issue, overdue, over, placed_at, known, seller_org, search);

-- The same for what lists are narrowed to most: whatever else they are narrowed to is passed over within the index. They
-- have the amount too: where few orders pass, all of them are sorted by it, still without a look at the orders.
DROP INDEX orders_status_placed, orders_status_total, orders_seller_status, orders_buyer_status;
CREATE INDEX orders_by_status ON orders (marketplace_id, status, placed_at, id,
    phase, channel, money, issue, overdue, over, total_minor, search);
CREATE INDEX orders_seller_by_status ON orders (marketplace_id, seller_org, status, placed_at, id,
    phase, channel, money, issue, overdue, over, total_minor, known, buyer_org, search);
CREATE INDEX orders_buyer_by_status ON orders (marketplace_id, buyer_org, status, placed_at, id,
    phase, channel, money, issue, overdue, over, total_minor, known, seller_org, search);
DROP INDEX orders_phase_placed, orders_channel_placed, orders_money, orders_over, orders_overdue, orders_issue;
CREATE INDEX orders_by_phase ON orders (marketplace_id, phase, status, placed_at, id,
    channel, money, issue, overdue, over, total_minor, known, seller_org, buyer_org);
CREATE INDEX orders_by_channel ON orders (marketplace_id, channel, placed_at, id,
    status, phase, money, issue, overdue, over, total_minor, known, seller_org, buyer_org);
CREATE INDEX orders_by_money ON orders (marketplace_id, money, placed_at, id,
    status, phase, channel, issue, overdue, over, total_minor, known, seller_org, buyer_org);
-- Few orders have these: once by date, and once for lists sorted by status.
CREATE INDEX orders_over ON orders (marketplace_id, over, placed_at, id,
    status, phase, channel, money, issue, overdue, total_minor, known, seller_org, buyer_org) WHERE over IS NOT NULL;
CREATE INDEX orders_over_status ON orders (marketplace_id, over, status, placed_at, id,
    phase, channel, money, issue, overdue, total_minor, known, seller_org, buyer_org) WHERE over IS NOT NULL;
CREATE INDEX orders_overdue ON orders (marketplace_id, placed_at, id,
    status, phase, channel, money, issue, overdue, over, total_minor, known, seller_org, buyer_org, search) WHERE overdue;
CREATE INDEX orders_overdue_status ON orders (marketplace_id, status, placed_at, id,
    phase, channel, money, issue, overdue, over, total_minor, known, seller_org, buyer_org, search) WHERE overdue;
CREATE INDEX orders_issue ON orders (marketplace_id, issue, placed_at, id,
    status, phase, channel, money, overdue, over, total_minor, known, seller_org, buyer_org, search) WHERE issue <> 'none';
CREATE INDEX orders_issue_status ON orders (marketplace_id, issue, status, placed_at, id,
    phase, channel, money, overdue, over, total_minor, known, seller_org, buyer_org, search) WHERE issue <> 'none';

-- What those do as well, or what nothing asks for any more.
DROP INDEX orders_seller_over, orders_buyer_over, orders_customer_name, orders_customer_email, orders_external_prefix;

-- Without the marketplace: its key is in every order, and passing over a million entries costs more than the orders of
-- other marketplaces that are looked at in vain. A short list of what is not filed yet: each search reads all of it.
DROP INDEX orders_search;
CREATE INDEX orders_search ON orders USING gin (search gin_trgm_ops) WITH (gin_pending_list_limit = 256);

-- Filters that go together ("canceled" and "refunded"): multiplied shares would send the planner on long walks.
CREATE STATISTICS orders_filters (mcv) ON status, phase, channel, money, issue, overdue, over FROM orders;
ALTER TABLE orders ALTER COLUMN status SET STATISTICS 500, ALTER COLUMN channel SET STATISTICS 500;
ALTER STATISTICS orders_filters SET STATISTICS 1000;
-- Walks read the index alone where vacuum has been; new orders are what lists show first.
ALTER TABLE orders SET (autovacuum_vacuum_insert_scale_factor = 0.02);

-- Ids of at most `most` orders of the caller's marketplace whose search text has `needle` in it. `part` is the part of
-- it that the index is asked for: words that are in very many orders would only make it slow. LIKE is not leakproof, so
-- under row-level security its index would be ignored; here the marketplace is filtered by hand.
CREATE FUNCTION orders_matching(part text, needle text, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = orders, public, pg_temp
    -- short parts look frequent to the planner, which would then read everything instead of the index
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT id FROM orders.orders WHERE search LIKE %L AND strpos(search, %L) > 0 AND marketplace_id = %L LIMIT %s',
        '%' || replace(replace(replace(part, '\', '\\'), '%', '\%'), '_', '\_') || '%',
        needle, orders.current_marketplace(), most);
END $$;
