"""The tenants service: records, field choices, and the life of every tenant database."""
