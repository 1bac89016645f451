"""What certificates and revocation lists say about each other (RFC 5280); acts on nothing."""

from services.sync.revocation.findings import Finding, Unlisted, told
from services.sync.revocation.lists import ListRefused, RevocationList
from services.sync.revocation.points import UNREADABLE, list_addresses
from services.sync.revocation.questions import ListQuestion

__all__ = [
    "UNREADABLE",
    "Finding",
    "ListQuestion",
    "ListRefused",
    "RevocationList",
    "Unlisted",
    "list_addresses",
    "told",
]
