-- Whom an outside provider's subject is here. Both are the provider's words, kept as they came; a person has one at each.
-- The tenant-bound role sees whether there is one, and takes it away: who somebody is elsewhere is nobody's to read.

CREATE TABLE outside_identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    marketplace_id uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (person_id, issuer)
);
SELECT protect('outside_identity');
REVOKE ALL ON outside_identity FROM ordertrail_identity;
GRANT DELETE, SELECT (person_id, marketplace_id) ON outside_identity TO ordertrail_identity;
