-- What only the right key-encryption key opens (kit/key_proof.py).
CREATE TABLE key_proof (
    service text PRIMARY KEY,
    sealed bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
