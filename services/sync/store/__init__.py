"""Every SQL statement of sync, by noun."""
