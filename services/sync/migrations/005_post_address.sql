-- Nobody reads the four columns any more; which kinds there are is for the code to say.
DROP TRIGGER address_in_both_forms ON connection;
DROP FUNCTION connection_address_in_both_forms();
ALTER TABLE connection
    DROP COLUMN environment_host,
    DROP COLUMN authority_host,
    DROP COLUMN directory_id,
    DROP COLUMN client_id,
    DROP CONSTRAINT connection_kind_check;
