-- The ID token by which somebody came in from the outside provider, sealed: signing out shows it there. It goes when the
-- session ends.

ALTER TABLE session ADD COLUMN outside_token bytea;
