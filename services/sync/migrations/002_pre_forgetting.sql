-- What is forgotten by age is found by age.
CREATE INDEX ledger_at ON ledger (at);
CREATE INDEX outgoing_removed ON outgoing (updated_at) WHERE state = 'removed';
