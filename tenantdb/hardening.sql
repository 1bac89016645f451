-- Run once by a superuser inside bulkhead_empty. Catalogue rights are per database and are copied
-- by CREATE DATABASE, so every tenant database is born without a view of its neighbours.
-- Untouched defaults show another database's name in some twenty places.
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Names, settings, comments and activity of other databases and roles.
REVOKE SELECT ON
    pg_catalog.pg_database, pg_catalog.pg_roles, pg_catalog.pg_user, pg_catalog.pg_group,
    pg_catalog.pg_auth_members, pg_catalog.pg_db_role_setting, pg_catalog.pg_shdescription,
    pg_catalog.pg_shdepend, pg_catalog.pg_shseclabel, pg_catalog.pg_seclabels,
    pg_catalog.pg_parameter_acl, pg_catalog.pg_tablespace, pg_catalog.pg_locks,
    pg_catalog.pg_prepared_xacts, pg_catalog.pg_replication_origin,
    pg_catalog.pg_replication_slots, pg_catalog.pg_cursors, pg_catalog.pg_file_settings
FROM PUBLIC;

DO $$
DECLARE one text;
BEGIN
    -- Statistics of the whole cluster; those of this database's own tables stay readable.
    FOR one IN
        SELECT oid::regclass::text FROM pg_class
         WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
           AND relname ~ '^pg_stat_(activity|database|replication|progress|ssl|gssapi|subscription'
                         '|wal|io|slru|bgwriter|checkpointer|archiver|recovery)'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', one);
    END LOOP;
    -- The functions behind them, and what writes outside of tables (notifications, large objects).
    FOR one IN
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE pronamespace = 'pg_catalog'::regnamespace
           AND (proname ~ '^pg_stat_get_(activity|backend_|db_|wal_|replication|progress|subscription'
                          '|io|slru|checkpointer|bgwriter|archiver|recovery)'
                OR proname ~ '^pg_stat_clear_snapshot$|^pg_stat_reset'
                OR proname IN ('pg_lock_status', 'pg_prepared_xact', 'pg_blocking_pids',
                               'pg_safe_snapshot_blocking_pids', 'pg_isolation_test_session_is_blocked',
                               'pg_database_size', 'pg_tablespace_size', 'pg_tablespace_databases',
                               'pg_notify', 'pg_show_all_file_settings', 'pg_get_replication_slots',
                               'pg_control_system', 'pg_control_checkpoint', 'pg_control_recovery',
                               'pg_control_init', 'database_to_xml', 'query_to_xml',
                               'lo_create', 'lo_creat', 'lo_from_bytea', 'lo_import', 'lo_export'))
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', one);
    END LOOP;
END
$$;

-- What pg_dump reads as a dump lease: the random names of roles and databases, no activity.
GRANT SELECT ON pg_catalog.pg_roles, pg_catalog.pg_tablespace, pg_catalog.pg_database,
    pg_catalog.pg_shdescription, pg_catalog.pg_shseclabel, pg_catalog.pg_seclabels,
    pg_catalog.pg_db_role_setting TO bulkhead_lease;
