"""The demonstration: one tenant from sign-up to its CRM and back from its backup."""
