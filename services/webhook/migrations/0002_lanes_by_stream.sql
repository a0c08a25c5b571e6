-- A lane is found by its stream first. One index then serves lanes, gaps and an order's trail, where two did; and no
-- other index than the primary key begins with what a settlement looks for.
DROP INDEX pending_lane;
DROP INDEX pending_stream;
CREATE INDEX pending_lane ON pending (stream_id, endpoint_id, sequence);
