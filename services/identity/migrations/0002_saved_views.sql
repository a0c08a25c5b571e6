-- What people narrow the order list to and come back to: filters under a name, for nobody but themselves.

CREATE TABLE saved_view (
    view_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    name text NOT NULL,
    filters jsonb NOT NULL,
    saved_at timestamptz NOT NULL,
    UNIQUE (person_id, name)
);
SELECT protect('saved_view');
