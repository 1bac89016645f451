"""The relay process: takes every service's notices from its outbox to the broker."""
