-- The trace of the request that asked for the run: its spans point to it.
ALTER TABLE snapshot ADD COLUMN trace text NOT NULL DEFAULT '';
ALTER TABLE restore ADD COLUMN trace text NOT NULL DEFAULT '';
