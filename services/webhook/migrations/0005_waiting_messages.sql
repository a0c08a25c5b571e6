-- An order's trail has what waits of its threads as well, whose lanes are their own.
CREATE INDEX pending_of_threads ON pending (order_id) WHERE stream_id <> order_id;
