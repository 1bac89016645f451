"""The public API as one OpenAPI 3.1 document."""

from ops.openapi.assembling import document, is_public

__all__ = ["document", "is_public"]
