-- Which credential it is, of what kind, when it ends, and what became of it when it was shown.
ALTER TABLE credential
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN kind text NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'certificate')),
    -- The public part of a certificate; its key is what is sealed.
    ADD COLUMN certificate text NOT NULL DEFAULT '',
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN warned_days integer,
    ADD COLUMN accepted_at timestamptz,
    ADD COLUMN refused_at timestamptz,
    ADD COLUMN refused_reason text NOT NULL DEFAULT '',
    ADD COLUMN replaced_at timestamptz,
    DROP CONSTRAINT credential_slot_check,
    ADD CONSTRAINT credential_slot_check CHECK (slot IN ('current', 'next', 'previous'));

CREATE UNIQUE INDEX credential_id ON credential (id);
CREATE INDEX credential_expires ON credential (expires_at) WHERE expires_at IS NOT NULL;

-- The version before writes another secret into a row that is there: that is another credential,
-- and nothing that is known of the old one holds for it.
CREATE FUNCTION credential_is_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := gen_random_uuid();
    NEW.kind := 'secret';
    NEW.certificate := '';
    NEW.expires_at := NULL;
    NEW.warned_days := NULL;
    NEW.accepted_at := NULL;
    NEW.refused_at := NULL;
    NEW.refused_reason := '';
    NEW.replaced_at := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER another BEFORE UPDATE OF sealed ON credential
    FOR EACH ROW EXECUTE FUNCTION credential_is_another();

-- What those who may manage a connection have been told, and whether there is more to tell.
CREATE TABLE announced (
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    again boolean NOT NULL DEFAULT false,
    PRIMARY KEY (connection, subject)
);

CREATE INDEX announced_again ON announced (at) WHERE again;
