-- Marketplaces and organisations ---------------------------------------------------------------------------------

-- name: insert_marketplace
INSERT INTO marketplace (marketplace_id, slug, name, currency, time_zone, lifecycle, settings, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8);

-- name: marketplace
SELECT * FROM marketplace WHERE marketplace_id = $1;

-- name: marketplace_by_slug
SELECT * FROM marketplace WHERE slug = $1;

-- name: lock_marketplace
SELECT * FROM marketplace WHERE marketplace_id = $1 FOR UPDATE;

-- name: update_marketplace
UPDATE marketplace
SET name = $2, time_zone = $3, lifecycle = $4, settings = $5, updated_at = $6, version = version + 1
WHERE marketplace_id = $1
RETURNING *;

-- name: insert_organisation
INSERT INTO organisation (organisation_id, marketplace_id, slug, name, kind, time_zone, location, external_ids,
                          commission_rate, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
RETURNING *;

-- name: organisation
SELECT * FROM organisation WHERE organisation_id = $1;

-- name: lock_organisation
SELECT * FROM organisation WHERE organisation_id = $1 FOR UPDATE;

-- name: organisations_by_slug
SELECT * FROM organisation WHERE marketplace_id = $1 AND slug = ANY ($2);

-- name: update_organisation
UPDATE organisation
SET name = $2, time_zone = $3, location = $4, external_ids = $5, commission_rate = $6, updated_at = $7,
    version = version + 1
WHERE organisation_id = $1
RETURNING *;

-- name: list_organisations
SELECT * FROM organisation
WHERE ($1::uuid IS NULL OR organisation_id = $1)
  AND ($2::text IS NULL OR (name, organisation_id) > ($2, $3::uuid))
ORDER BY name, organisation_id
LIMIT $4;

-- People ---------------------------------------------------------------------------------------------------------

-- name: insert_person
INSERT INTO person (person_id, marketplace_id, organisation_id, email, name, roles, language, time_zone, limit_minor,
                    limit_currency, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
RETURNING *;

-- name: person
SELECT * FROM person WHERE person_id = $1;

-- name: lock_person
SELECT * FROM person WHERE person_id = $1 FOR UPDATE;

-- name: people_by_email
SELECT * FROM person WHERE email = ANY ($1);

-- name: update_person
UPDATE person
SET name = $2, roles = $3, language = $4, time_zone = $5, active = $6, limit_minor = $7, limit_currency = $8,
    updated_at = $9, version = version + 1
WHERE person_id = $1
RETURNING *;

-- name: erase_person
UPDATE person
SET email = 'erased-' || person_id || '@erased.invalid', name = 'Erased person', roles = '{}', language = 'en',
    time_zone = 'UTC', active = false, limit_minor = NULL, limit_currency = NULL, updated_at = $2, erased_at = $2,
    version = version + 1
WHERE person_id = $1
RETURNING *;

-- name: list_people
SELECT * FROM person
WHERE ($1::uuid IS NULL OR organisation_id = $1) AND erased_at IS NULL
  AND ($2::text IS NULL OR (name, person_id) > ($2, $3::uuid))
ORDER BY name, person_id
LIMIT $4;

-- name: count_rights
-- People left who can look after the organisation: so that the last one is not taken away.
SELECT count(*) FROM person
WHERE organisation_id = $1 AND active AND roles && $2::text[] AND person_id <> $3;

-- name: hold_person
-- Whoever changes the person's rights waits until tokens with the former ones are made, or is waited for.
SELECT 1 FROM person WHERE person_id = $1 FOR SHARE;

-- name: hold_person_of_token
-- Before the session is locked, as who takes rights away locks the person first.
SELECT 1 FROM refresh_token AS r JOIN session AS s USING (session_id) JOIN person AS p USING (person_id)
WHERE r.token_hash = $1
FOR SHARE OF p;

-- name: membership
-- All that member.changed says of these people, as it is now.
SELECT p.*, o.slug AS o_slug, o.name AS o_name, o.kind AS o_kind, o.time_zone AS o_time_zone, o.location AS o_location,
       o.external_ids AS o_external_ids, o.commission_rate AS o_commission_rate,
       m.slug AS m_slug, m.name AS m_name, m.currency AS m_currency, m.time_zone AS m_time_zone,
       m.lifecycle AS m_lifecycle, m.settings AS m_settings
FROM person AS p
JOIN organisation AS o USING (organisation_id)
JOIN marketplace AS m ON m.marketplace_id = p.marketplace_id
WHERE p.person_id = ANY ($1)
ORDER BY p.person_id;

-- Republication --------------------------------------------------------------------------------------------------

-- name: request_republication
INSERT INTO republication (marketplace_id, organisation_id, requested_at) VALUES ($1, $2, $3);

-- name: next_republication
SELECT * FROM republication ORDER BY republication_id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: touch_people
UPDATE person SET version = version + 1
WHERE person_id IN (
    SELECT person_id FROM person
    WHERE marketplace_id = $1 AND ($2::uuid IS NULL OR organisation_id = $2) AND person_id > $3
    ORDER BY person_id LIMIT $4 FOR UPDATE
)
RETURNING person_id;

-- name: advance_republication
UPDATE republication SET after = $2 WHERE republication_id = $1;

-- name: finish_republication
DELETE FROM republication WHERE republication_id = $1;

-- Passwords, invitations, sessions -------------------------------------------------------------------------------

-- name: insert_credential
INSERT INTO credential (person_id, marketplace_id, password_hash, changed_at) VALUES ($1, $2, $3, $4);

-- name: set_credential
INSERT INTO credential (person_id, marketplace_id, password_hash, changed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (person_id) DO UPDATE SET password_hash = excluded.password_hash, changed_at = excluded.changed_at;

-- name: credential
SELECT password_hash FROM credential WHERE person_id = $1;

-- name: credentials_by_email
SELECT p.email, c.password_hash FROM person AS p JOIN credential AS c USING (person_id) WHERE p.email = ANY ($1);

-- name: delete_credential
DELETE FROM credential WHERE person_id = $1;

-- name: signing_in
SELECT p.person_id, p.marketplace_id, p.active, c.password_hash
FROM person AS p JOIN credential AS c USING (person_id)
WHERE p.email = $1;

-- name: set_invitation
INSERT INTO invitation (person_id, marketplace_id, token_hash, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person_id) DO UPDATE
SET token_hash = excluded.token_hash, created_by = excluded.created_by, created_at = excluded.created_at,
    expires_at = excluded.expires_at;

-- name: has_invitation
SELECT EXISTS (SELECT FROM invitation WHERE token_hash = $1 AND expires_at > $2);

-- name: take_invitation
DELETE FROM invitation WHERE token_hash = $1 AND expires_at > $2 RETURNING person_id, marketplace_id;

-- name: delete_invitation
DELETE FROM invitation WHERE person_id = $1;

-- name: insert_session
INSERT INTO session (session_id, marketplace_id, person_id, created_at, expires_at, outside_token)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: lock_session_of
SELECT s.*, r.used_at, r.expires_at AS token_expires_at
FROM refresh_token AS r JOIN session AS s USING (session_id)
WHERE r.token_hash = $1
FOR UPDATE;

-- name: use_refresh_token
UPDATE refresh_token SET used_at = $2 WHERE token_hash = $1;

-- name: insert_refresh_token
INSERT INTO refresh_token (token_hash, marketplace_id, session_id, expires_at) VALUES ($1, $2, $3, $4);

-- name: end_session
UPDATE session SET ended_at = $2, ended_because = $3, outside_token = NULL WHERE session_id = $1 AND ended_at IS NULL;

-- name: end_sessions_of
UPDATE session SET ended_at = $2, ended_because = $3, outside_token = NULL WHERE person_id = $1 AND ended_at IS NULL;

-- name: prune_sessions
DELETE FROM session
WHERE session_id IN (SELECT session_id FROM session WHERE expires_at < $1 OR ended_at < $1 LIMIT $2);

-- name: prune_throttle
DELETE FROM throttle WHERE since < $1;

-- name: prune_invitations
DELETE FROM invitation WHERE expires_at < $1;

-- Revoked tokens -------------------------------------------------------------------------------------------------

-- name: revoke
INSERT INTO revoked AS r (mark, marketplace_id, before, noted_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (mark) DO UPDATE
SET before = greatest(r.before, excluded.before), noted_at = greatest(r.noted_at, excluded.noted_at);

-- name: revoked_since
SELECT mark, before FROM revoked WHERE noted_at > $1;

-- name: prune_revoked
DELETE FROM revoked WHERE noted_at < $1;

-- Outside identities ---------------------------------------------------------------------------------------------

-- name: outside_person
SELECT person_id FROM outside_identity WHERE issuer = $1 AND subject = $2;

-- name: outside_subject
SELECT subject FROM outside_identity WHERE issuer = $1 AND person_id = $2;

-- name: link_outside
-- None is returned where the subject is somebody's already.
INSERT INTO outside_identity (issuer, subject, marketplace_id, person_id, linked_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING person_id;

-- name: unlink_outside
DELETE FROM outside_identity WHERE person_id = $1;

-- Throttling -----------------------------------------------------------------------------------------------------

-- name: count_attempts
INSERT INTO throttle AS t (bucket, failures, since)
SELECT bucket, 1, $2 FROM unnest($1::bytea[]) AS bucket ORDER BY bucket
ON CONFLICT (bucket) DO UPDATE
SET failures = CASE WHEN t.since > $3 THEN t.failures + 1 ELSE 1 END,
    since = CASE WHEN t.since > $3 THEN t.since ELSE excluded.since END
RETURNING bucket, failures, since;

-- name: forgive
DELETE FROM throttle WHERE bucket = $1;

-- name: uncount
UPDATE throttle SET failures = failures - 1 WHERE bucket = $1 AND failures > 0;

-- API keys -------------------------------------------------------------------------------------------------------

-- name: insert_api_key
INSERT INTO api_key (api_key_id, marketplace_id, organisation_id, name, roles, scopes, secret_hash, created_by,
                     created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING *;

-- name: api_key
SELECT * FROM api_key WHERE api_key_id = $1;

-- name: lock_api_key
SELECT * FROM api_key WHERE api_key_id = $1 FOR UPDATE;

-- name: list_api_keys
SELECT * FROM api_key
WHERE ($1::uuid IS NULL OR organisation_id = $1) AND ($2::uuid IS NULL OR api_key_id > $2)
ORDER BY api_key_id
LIMIT $3;

-- name: rotate_api_key
UPDATE api_key
SET former_hash = secret_hash, former_until = $3, secret_hash = $2, version = version + 1
WHERE api_key_id = $1
RETURNING *;

-- name: revoke_api_key
UPDATE api_key SET revoked_at = $2, version = version + 1 WHERE api_key_id = $1 RETURNING *;

-- name: key_of_client
SELECT k.*, o.name AS o_name, o.kind AS o_kind, m.slug AS m_slug
FROM api_key AS k
JOIN organisation AS o USING (organisation_id)
JOIN marketplace AS m ON m.marketplace_id = k.marketplace_id
WHERE k.api_key_id = $1;

-- name: mark_api_key_used
-- At most once a minute: a busy key would otherwise write a row with every token.
UPDATE api_key SET last_used_at = $2
WHERE api_key_id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute');

-- Audit ----------------------------------------------------------------------------------------------------------

-- name: lock_audit
-- Rows of one marketplace are chained, so they are written one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('audit ' || $1::text, 0));

-- name: last_audit
SELECT sequence, hash FROM audit WHERE marketplace_id = $1 ORDER BY sequence DESC LIMIT 1;

-- name: insert_audit
INSERT INTO audit (marketplace_id, sequence, at, action, actor_kind, actor_id, organisation_id,
                   subject_kind, subject_id, detail, previous_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: list_audit
SELECT * FROM audit
WHERE marketplace_id = $1 AND ($2::uuid IS NULL OR organisation_id = $2) AND ($3::bigint IS NULL OR sequence < $3)
ORDER BY sequence DESC
LIMIT $4;

-- name: audit_chain
SELECT * FROM audit WHERE marketplace_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3;

-- name: audited_marketplaces
SELECT DISTINCT marketplace_id FROM audit;

-- name: log_ins_as
SELECT a.sequence, a.at, a.actor_id, p.name AS actor_name, a.detail ->> 'reason' AS reason
FROM audit AS a LEFT JOIN person AS p ON p.person_id = a.actor_id
WHERE a.marketplace_id = $1 AND a.subject_id = $2 AND a.action = 'logged_in_as'
  AND ($3::bigint IS NULL OR a.sequence < $3)
ORDER BY a.sequence DESC
LIMIT $4;

-- Signing keys ---------------------------------------------------------------------------------------------------

-- name: lock_signing_keys
SELECT pg_advisory_xact_lock(hashtextextended('signing keys', 0));

-- name: signing_keys
SELECT * FROM signing_key WHERE withdrawn_at IS NULL OR withdrawn_at > $1 ORDER BY active_at DESC, kid DESC;

-- name: insert_signing_key
INSERT INTO signing_key (kid, public, sealed, created_at, active_at) VALUES ($1, $2, $3, $4, $5);

-- name: withdraw_signing_keys
UPDATE signing_key SET withdrawn_at = $2 WHERE kid <> $1 AND (withdrawn_at IS NULL OR withdrawn_at > $2);

-- name: prune_signing_keys
DELETE FROM signing_key WHERE withdrawn_at < $1;

-- name: views
SELECT * FROM saved_view WHERE person_id = $1 ORDER BY name;

-- name: save_view
INSERT INTO saved_view (view_id, marketplace_id, person_id, name, filters, saved_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person_id, name) DO UPDATE SET filters = excluded.filters, saved_at = excluded.saved_at
RETURNING *;

-- name: delete_view
DELETE FROM saved_view WHERE person_id = $1 AND view_id = $2 RETURNING view_id;

-- name: delete_views
DELETE FROM saved_view WHERE person_id = $1;
