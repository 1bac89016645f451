"""CRM simulators for tests and for trying the product without a CRM; no service may import this."""
