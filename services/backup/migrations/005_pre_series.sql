-- What hangs on a full is kept as long as the full, and goes with it.
ALTER TABLE snapshot ADD COLUMN base uuid REFERENCES snapshot (snapshot);
CREATE INDEX snapshot_by_base ON snapshot (base) WHERE base IS NOT NULL;
