-- Who is who. The tenant-bound role works for signed-in callers; the worker role serves the paths on which no tenant
-- is known yet (sign-in, tokens, keys). Secrets are hashed (or sealed) and kept from the tenant-bound role.

CREATE TABLE marketplace (
    marketplace_id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    currency text NOT NULL,
    time_zone text NOT NULL,
    lifecycle text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
SELECT protect('marketplace');

CREATE TABLE organisation (
    organisation_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL REFERENCES marketplace,
    slug text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('buyer', 'seller', 'both', 'operator')),
    time_zone text NOT NULL,
    location text,
    external_ids text[] NOT NULL DEFAULT '{}',
    commission_rate numeric(7, 6) CHECK (commission_rate BETWEEN 0 AND 1),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (marketplace_id, slug),
    UNIQUE (marketplace_id, organisation_id)
);
CREATE INDEX organisation_name ON organisation (marketplace_id, name, organisation_id);
SELECT protect('organisation');

-- The e-mail address names a person in the whole installation, because signing in starts with nothing else.
-- `version` counts the person's member.changed events.
CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    language text NOT NULL,
    time_zone text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    limit_minor bigint CHECK (limit_minor >= 0),
    limit_currency text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    erased_at timestamptz,
    CONSTRAINT person_email_key UNIQUE (email),
    CHECK ((limit_minor IS NULL) = (limit_currency IS NULL)),
    FOREIGN KEY (marketplace_id, organisation_id) REFERENCES organisation (marketplace_id, organisation_id)
);
CREATE INDEX person_name ON person (marketplace_id, name, person_id);
CREATE INDEX person_organisation ON person (marketplace_id, organisation_id, name, person_id);
SELECT protect('person');

CREATE TABLE credential (
    person_id uuid PRIMARY KEY REFERENCES person,
    marketplace_id uuid NOT NULL,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL
);
SELECT protect('credential');
REVOKE ALL ON credential FROM ordertrail_identity;
GRANT INSERT, DELETE, SELECT (person_id, marketplace_id) ON credential TO ordertrail_identity;

-- A one-time token by which a person sets a password: at first, or because it was lost. One per person.
CREATE TABLE invitation (
    person_id uuid PRIMARY KEY REFERENCES person,
    marketplace_id uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
SELECT protect('invitation');

-- A sign-in and everything refreshed from it: the family that a reused refresh token ends.
CREATE TABLE session (
    session_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text
);
CREATE INDEX session_person ON session (person_id);
CREATE INDEX session_expires_at ON session (expires_at);
SELECT protect('session');

CREATE TABLE refresh_token (
    token_hash bytea PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    session_id uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
SELECT protect('refresh_token');
REVOKE ALL ON refresh_token FROM ordertrail_identity;

-- `former_hash` is the secret before the last rotation; it works until `former_until`.
CREATE TABLE api_key (
    api_key_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    scopes text[] NOT NULL,
    secret_hash bytea NOT NULL,
    former_hash bytea,
    former_until timestamptz,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    FOREIGN KEY (marketplace_id, organisation_id) REFERENCES organisation (marketplace_id, organisation_id)
);
CREATE INDEX api_key_organisation ON api_key (marketplace_id, organisation_id, api_key_id);
SELECT protect('api_key');

-- Each row holds the hash of the row before it: a row that was changed or taken out shows.
CREATE TABLE audit (
    marketplace_id uuid NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    organisation_id uuid,
    subject_kind text NOT NULL,
    subject_id uuid,
    detail jsonb NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (marketplace_id, sequence)
);
CREATE INDEX audit_subject ON audit (marketplace_id, subject_id, sequence);
SELECT protect('audit', 'append_only');

-- Of the installation, not of a marketplace: the nil UUID stands there, so that no tenant ever sees a row.
CREATE TABLE signing_key (
    kid text PRIMARY KEY,
    marketplace_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    public jsonb NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    active_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
SELECT protect('signing_key');
REVOKE ALL ON signing_key FROM ordertrail_identity;

CREATE TABLE throttle (
    bucket bytea PRIMARY KEY,
    marketplace_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    failures int NOT NULL,
    since timestamptz NOT NULL
);
SELECT protect('throttle');
REVOKE ALL ON throttle FROM ordertrail_identity;

-- People whose member.changed has to be sent again because their organisation or marketplace changed; a worker
-- takes some hundred at a time, in order of person_id, and remembers in `after` how far it came.
CREATE TABLE republication (
    republication_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    organisation_id uuid,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    requested_at timestamptz NOT NULL
);
SELECT protect('republication');
