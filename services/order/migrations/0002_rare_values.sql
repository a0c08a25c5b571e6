-- What is shown over the order's own status, or null. A column, so that its statistics say how rare it is: without them
-- the planner walks the whole list for the few orders that it expects at once.
ALTER TABLE orders ADD COLUMN over text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN shown <> status THEN shown END) STORED;
DROP INDEX orders_shown;
CREATE INDEX orders_over ON orders (marketplace_id, over, placed_at, id) WHERE over IS NOT NULL;
CREATE INDEX orders_seller_over ON orders (seller_org, over, placed_at, id) WHERE over IS NOT NULL;
CREATE INDEX orders_buyer_over ON orders (buyer_org, over, placed_at, id) WHERE over IS NOT NULL;
CREATE INDEX orders_money ON orders (marketplace_id, money, placed_at, id);
CREATE INDEX orders_issue ON orders (marketplace_id, issue, placed_at, id) WHERE issue <> 'none';
