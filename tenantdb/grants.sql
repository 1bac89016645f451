-- The rights inside one tenant database, given by its owner. Applied to a new database, after each
-- migration and after a restore (dumps carry no rights), so it states all of them.
-- A test compares these lists with the tables that exist: a new table must be put into one.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {runtime}, {reader}, PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE
    ON record, module_definition, module_field, field_choice, connection_mapping TO {runtime};
GRANT SELECT ON journal, tenant_identity, open_field TO {runtime};

GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader};
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {reader};
