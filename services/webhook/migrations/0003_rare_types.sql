-- The log by a type that is rare: among a month of created and updated, a page of disputes would look through all of it.
CREATE INDEX delivery_by_rare_type ON delivery (endpoint_id, type, delivery_id)
    WHERE type NOT IN ('order.created', 'order.updated');
