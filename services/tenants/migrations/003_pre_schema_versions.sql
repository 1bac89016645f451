-- Which version of the template each tenant database is known to have, so that a start walks only
-- those that need something, and a tenant whose upgrade failed is told apart from all others.
-- 0: not known, so it is walked once.
ALTER TABLE tenant ADD COLUMN schema_version integer NOT NULL DEFAULT 0;
ALTER TABLE restore_target ADD COLUMN schema_version integer NOT NULL DEFAULT 0;
CREATE INDEX tenant_behind ON tenant (schema_version);

-- A swap brings another database, with the version that it was prepared for; code of before this
-- file names none, so what it swaps in is walked again.
CREATE FUNCTION take_swapped_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tenant SET schema_version = NEW.schema_version WHERE id = NEW.tenant;
    RETURN NULL;
END $$;
CREATE TRIGGER restore_target_swapped AFTER UPDATE OF state ON restore_target
    FOR EACH ROW WHEN (NEW.state = 'swapped' AND OLD.state <> 'swapped')
    EXECUTE FUNCTION take_swapped_version();
