-- The journal: one row per changed row, written in the transaction of the change by statement
-- triggers with transition tables. No code path can bypass them, and the runtime role cannot
-- write the table itself: the trigger functions run as the owner (SECURITY DEFINER).
--
-- op     I insert, U update, D delete, T truncate. A changed primary key is D(old) then U(new).
-- pk     array of the primary key's values in key order; NULL for T.
-- image  the row after the change (I, U) or as it was before it (D); NULL for T.
-- Order the changes of ONE row by seq: row locks make that right; txid order would invert them.
CREATE TABLE journal (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tab text NOT NULL,
    op text NOT NULL CHECK (op IN ('I', 'U', 'D', 'T')),
    pk jsonb CHECK ((op = 'T') = (pk IS NULL)),
    image jsonb CHECK ((op = 'T') = (image IS NULL)),
    actor text
);
CREATE INDEX journal_by_txid ON journal (txid);

-- Attach the journal to a table: writes its three trigger functions with the table's own primary
-- key in them, so that no statement pays for dynamic SQL. Every later migration that adds a table
-- calls it: SELECT journal_attach('new_table').
CREATE FUNCTION journal_attach(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $attach$
DECLARE
    tab text := (SELECT relname FROM pg_class WHERE oid = target);
    head text := 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS';
    actor text := $$nullif(current_setting('app.actor', true), '')$$;
    pk_new text; pk_old text; pk_same text; columns text;
BEGIN
    SELECT string_agg(format('n.%I', attname), ', ' ORDER BY place),
           string_agg(format('o.%I', attname), ', ' ORDER BY place),
           string_agg(format('n.%1$I = o.%1$I', attname), ' AND ' ORDER BY place),
           string_agg(format('%I', attname), ', ' ORDER BY place)
      INTO STRICT pk_new, pk_old, pk_same, columns
      FROM pg_index, unnest(indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = target AND a.attnum = k.attnum
     WHERE indrelid = target AND indisprimary;
    IF columns IS NULL THEN
        RAISE EXCEPTION 'table % has no primary key, so it cannot be journalled', tab;
    END IF;

    EXECUTE format($f$
CREATE FUNCTION public.%I() RETURNS trigger %s $body$
BEGIN
    INSERT INTO public.journal (tab, op, pk, image, actor)
    SELECT %L, 'I', jsonb_build_array(%s), to_jsonb(n.*), %s FROM new_rows n;
    RETURN NULL;
END $body$ $f$, tab || '_journal_insert', head, tab, pk_new, actor);

    -- Old keys that are gone first. Without nested loops the probe is one hash join: a plan that
    -- was cached for one row must not meet ten thousand.
    EXECUTE format($f$
CREATE FUNCTION public.%I() RETURNS trigger SET enable_nestloop = off %s $body$
BEGIN
    INSERT INTO public.journal (tab, op, pk, image, actor)
    SELECT %L, 'D', jsonb_build_array(%s), to_jsonb(o.*), %s FROM old_rows o
     WHERE NOT EXISTS (SELECT FROM new_rows n WHERE %s);
    INSERT INTO public.journal (tab, op, pk, image, actor)
    SELECT %L, 'U', jsonb_build_array(%s), to_jsonb(n.*), %s FROM new_rows n;
    RETURN NULL;
END $body$ $f$, tab || '_journal_update', head, tab, pk_old, actor, pk_same, tab, pk_new, actor);

    EXECUTE format($f$
CREATE FUNCTION public.%I() RETURNS trigger %s $body$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO public.journal (tab, op, actor) VALUES (%L, 'T', %s);
    ELSE
        INSERT INTO public.journal (tab, op, pk, image, actor)
        SELECT %L, 'D', jsonb_build_array(%s), to_jsonb(o.*), %s FROM old_rows o;
    END IF;
    RETURN NULL;
END $body$ $f$, tab || '_journal_delete', head, tab, actor, tab, pk_old, actor);

    EXECUTE format('CREATE TRIGGER journal_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS '
        'new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.%I()', target, tab || '_journal_insert');
    EXECUTE format('CREATE TRIGGER journal_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS '
        'old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.%I()',
        target, tab || '_journal_update');
    EXECUTE format('CREATE TRIGGER journal_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS '
        'old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.%I()', target, tab || '_journal_delete');
    EXECUTE format('CREATE TRIGGER journal_truncate AFTER TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.%I()', target, tab || '_journal_delete');
END $attach$;

SELECT journal_attach('record');
SELECT journal_attach('field_choice');
SELECT journal_attach('module_definition');
SELECT journal_attach('module_field');
