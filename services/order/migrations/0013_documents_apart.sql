-- An order's document of more than a few hundred bytes stands apart from its row and is not compressed: writing an order
-- takes less, and lists, which read cards, find more of them on a page. What is there already stays as it is until the
-- order's next change. See docs/decisions/0120.
ALTER TABLE orders ALTER COLUMN doc SET STORAGE EXTERNAL;
