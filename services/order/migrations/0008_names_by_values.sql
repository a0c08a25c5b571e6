-- All orders of a name and of one combination of values are beside each other: a text in a name is looked for among the
-- orders that a list is narrowed to, whatever it is narrowed to. See docs/decisions/0090.

CREATE INDEX orders_name_values ON orders (marketplace_id, customer_name_lc, overdue, status, shown, money, issue, phase,
    placed_at, id, channel, total_minor, known, seller_org, buyer_org, buyer_person)
    WHERE octet_length(customer_name_lc) <= 400;
-- What this one does as well.
DROP INDEX orders_by_customer;
