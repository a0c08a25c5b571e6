-- Mails that were posted as messages: a mail server that is not sure whether it has delivered one sends it again.
-- digest: of the Message-ID, or of the whole mail where it has none.
CREATE TABLE mail_answer (
    marketplace_id uuid NOT NULL,
    thread_id uuid NOT NULL REFERENCES thread,
    person_id uuid NOT NULL,
    digest bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (thread_id, person_id, digest)
);
CREATE INDEX mail_answer_received_at ON mail_answer (received_at);
SELECT protect('mail_answer');
