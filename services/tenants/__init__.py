"""The tenants service: records, bulk upserts, field choices, and the life of every tenant database."""
