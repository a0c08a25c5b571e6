-- Files of messages, uploaded first and posted with a message then. The bytes are what is given out: images are written
-- anew by us. side: whose upload it is; until it is posted only uploaded_by may see it.
CREATE TABLE attachment (
    attachment_id uuid PRIMARY KEY,
    marketplace_id uuid NOT NULL,
    thread_id uuid NOT NULL REFERENCES thread,
    message_id uuid REFERENCES message,
    position int CHECK (position > 0),
    file_name text NOT NULL CHECK (char_length(file_name) BETWEEN 1 AND 120),
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp', 'application/pdf')),
    bytes int NOT NULL CHECK (bytes > 0),
    sha256 text NOT NULL,
    side text NOT NULL CHECK (side IN ('buyer', 'seller', 'operator')),
    uploaded_by uuid NOT NULL,
    uploaded_at timestamptz NOT NULL,
    content bytea NOT NULL,
    thumbnail bytea,
    CHECK ((message_id IS NULL) = (position IS NULL)),
    CHECK (octet_length(content) = bytes)
);
-- Images and PDFs are compressed already.
ALTER TABLE attachment ALTER COLUMN content SET STORAGE EXTERNAL, ALTER COLUMN thumbnail SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX attachment_message ON attachment (message_id, position) WHERE message_id IS NOT NULL;
CREATE INDEX attachment_waiting ON attachment (uploaded_by, uploaded_at) WHERE message_id IS NULL;
CREATE INDEX attachment_thread ON attachment (thread_id);
SELECT protect('attachment', 'append_only');

-- Posting sets the message, once; what was never posted is deleted by the worker. What was posted stays as it is.
DO $$
DECLARE
    app text := replace(current_user, '_owner', '');
BEGIN
    EXECUTE format('GRANT UPDATE (message_id, position) ON attachment TO %I, %I', app, app || '_worker');
    EXECUTE format('GRANT DELETE ON attachment TO %I', app || '_worker');
END $$;
CREATE POLICY posted_once ON attachment AS RESTRICTIVE FOR UPDATE USING (message_id IS NULL) WITH CHECK (true);
CREATE POLICY posted_stays ON attachment AS RESTRICTIVE FOR DELETE USING (message_id IS NULL);

-- A message may have attachments only; the service sees to it that it has one or the other. NOT VALID: what is there has
-- kept a stricter rule, so nothing needs to be read again.
ALTER TABLE message DROP CONSTRAINT message_text_check,
    ADD CONSTRAINT message_text_check CHECK (char_length(text) <= 4000) NOT VALID;
