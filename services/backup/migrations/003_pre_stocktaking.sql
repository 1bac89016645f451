-- The index is compared with the vault: what is lost or broken is marked, the space is measured.
ALTER TABLE snapshot DROP CONSTRAINT snapshot_state_check;
ALTER TABLE snapshot ADD CONSTRAINT snapshot_state_check CHECK (
    state IN ('queued', 'running', 'verified', 'failed', 'expired', 'broken', 'missing')
);
ALTER TABLE snapshot DROP CONSTRAINT snapshot_cause_check;
ALTER TABLE snapshot ADD CONSTRAINT snapshot_cause_check CHECK (
    cause IN ('demand', 'schedule', 'found')
);
ALTER TABLE snapshot ADD COLUMN checked_at timestamptz;
ALTER TABLE tenant ADD COLUMN vault_bytes bigint NOT NULL DEFAULT 0;
CREATE INDEX snapshot_by_loss ON snapshot (requested_at) WHERE state IN ('broken', 'missing');
CREATE INDEX snapshot_open ON snapshot (state) WHERE state IN ('queued', 'running');
