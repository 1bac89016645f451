-- A plan that nobody executed in time ends; what is forgotten by age is found by age.
ALTER TABLE restore DROP CONSTRAINT restore_state_check;
ALTER TABLE restore ADD CONSTRAINT restore_state_check CHECK (
    state IN ('planned', 'queued', 'running', 'swapping', 'completed', 'failed', 'expired')
);
CREATE INDEX restore_by_age ON restore (state, planned_at);
CREATE INDEX restore_by_snapshot ON restore (snapshot);
CREATE INDEX snapshot_by_age ON snapshot (requested_at) WHERE state IN ('failed', 'expired');
