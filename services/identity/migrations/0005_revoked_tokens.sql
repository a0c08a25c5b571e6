-- Whose access tokens stopped counting before their time: tokens of `mark` (a hash of a person's, session's or API key's id)
-- that were issued before `before`. Rows go when no such token can be about any more.

CREATE TABLE revoked (
    mark text PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    before timestamptz NOT NULL,
    noted_at timestamptz NOT NULL
);
CREATE INDEX revoked_noted_at ON revoked (noted_at);
SELECT protect('revoked');
REVOKE DELETE ON revoked FROM ordertrail_identity;
