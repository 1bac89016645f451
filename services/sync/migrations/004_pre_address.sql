-- Where a CRM is, in the form of its kind: one column for all kinds.
ALTER TABLE connection ADD COLUMN address jsonb;
UPDATE connection SET address = jsonb_build_object(
    'environment_url', 'https://' || environment_host,
    'authority_url', 'https://' || authority_host,
    'directory_id', directory_id,
    'client_id', client_id
);

-- The version before writes and reads four columns; this one writes and reads `address`. Until the
-- post migration each finds what the other has written.
CREATE FUNCTION connection_address_in_both_forms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.address IS NULL THEN
        NEW.address := jsonb_build_object(
            'environment_url', 'https://' || NEW.environment_host,
            'authority_url', 'https://' || NEW.authority_host,
            'directory_id', NEW.directory_id,
            'client_id', NEW.client_id
        );
    ELSE
        NEW.environment_host := substr(NEW.address ->> 'environment_url', 9);
        NEW.authority_host := substr(NEW.address ->> 'authority_url', 9);
        NEW.directory_id := NEW.address ->> 'directory_id';
        NEW.client_id := NEW.address ->> 'client_id';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER address_in_both_forms BEFORE INSERT ON connection
    FOR EACH ROW EXECUTE FUNCTION connection_address_in_both_forms();
ALTER TABLE connection ALTER COLUMN address SET NOT NULL;
