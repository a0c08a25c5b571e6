-- Uploads that no action has attached are forgotten after some days. Those that were found in their order are `kept`, and
-- not looked for again.
ALTER TABLE document ADD COLUMN kept boolean NOT NULL DEFAULT false;
CREATE INDEX document_loose ON document (added_at) WHERE NOT kept;
