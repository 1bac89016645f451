"""Every SQL statement of the auth service, one module a noun."""
