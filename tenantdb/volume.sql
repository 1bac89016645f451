-- In the provisioner's own database, as the superuser: one number for a role that may see no more.
-- Without it nobody knows how full PostgreSQL's volume is where no program can mount it.
CREATE SCHEMA IF NOT EXISTS volume;
CREATE OR REPLACE FUNCTION volume.stored() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN (SELECT sum(pg_tablespace_size(oid)) FROM pg_tablespace)
        + (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir());
ALTER FUNCTION volume.stored() OWNER TO pg_monitor;
REVOKE ALL ON FUNCTION volume.stored() FROM PUBLIC;
GRANT USAGE ON SCHEMA volume TO bulkhead_tenants;
GRANT EXECUTE ON FUNCTION volume.stored() TO bulkhead_tenants;
