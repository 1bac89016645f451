"""Access decisions: one pure policy function over grants, and the compact form for tokens.

grant = permission + scope; a level is a numbered bundle of grants. Deny by default.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from uuid import UUID


class Scope(IntEnum):
    """How far a permission reaches; each includes the ones before it."""

    NONE = 0
    OWN = 1
    OWN2 = 2
    TEAM = 3
    TERRITORY = 4
    TERRITORY_TREE = 5
    ALL = 6


class Grants(Mapping[str, Scope]):
    """Permission -> scope over one catalogue; a permission outside of it is not granted."""

    def __init__(self, catalogue: tuple[str, ...], scopes: Mapping[str, Scope]) -> None:
        unknown = scopes.keys() - set(catalogue)
        if unknown:
            raise ValueError(f"not in the catalogue: {sorted(unknown)}")
        self._catalogue = catalogue
        self._scopes = {name: scope for name, scope in scopes.items() if scope is not Scope.NONE}

    def __getitem__(self, permission: str) -> Scope:
        return self._scopes.get(permission, Scope.NONE)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._scopes))

    def __len__(self) -> int:
        return len(self._scopes)

    def encode(self) -> str:
        """Three bits a permission in catalogue order, base64url without padding."""
        bits = 0
        for index, permission in enumerate(self._catalogue):
            bits |= int(self[permission]) << (3 * index)
        raw = bits.to_bytes((3 * len(self._catalogue) + 7) // 8, "little")
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, catalogue: tuple[str, ...], text: str) -> "Grants":
        """The inverse of encode; raises ValueError for anything that encode cannot have made.

        Grants never change and come from few levels, so the last ones are kept.
        """
        return _decode(catalogue, text)

    @classmethod
    def _decode(cls, catalogue: tuple[str, ...], text: str) -> "Grants":
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise ValueError("grants are not base64url") from None
        bits = int.from_bytes(raw, "little")
        scopes = {p: Scope(bits >> (3 * i) & 7) for i, p in enumerate(catalogue)}
        grants = cls(catalogue, scopes)
        if grants.encode() != text:
            raise ValueError("grants are not in canonical form")
        return grants

    def covers(self, other: "Grants") -> bool:
        """True if every grant of `other` is granted here at least as widely."""
        return all(self[permission] >= scope for permission, scope in other.items())


@lru_cache(maxsize=256)
def _decode(catalogue: tuple[str, ...], text: str) -> Grants:
    return Grants._decode(catalogue, text)


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the user, the teams, the territories and the whole trees below them."""

    user: UUID
    teams: frozenset[UUID] = frozenset()
    territories: frozenset[UUID] = frozenset()
    territory_tree: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What the decision needs to know of a record."""

    responsible: UUID | None = None
    second_responsible: UUID | None = None
    team: UUID | None = None
    territory: UUID | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, with the grant that decided and why."""

    allowed: bool
    permission: str
    scope: Scope
    reason: str


def decide(
    grants: Grants, permission: str, person: Person, record: RecordFacts | None = None
) -> Decision:
    """May `person` do `permission` (to `record`, or at all where record is None)?"""
    scope = grants[permission]
    if scope is Scope.NONE:
        return Decision(False, permission, scope, "not granted")
    if record is None:
        return Decision(True, permission, scope, "granted")
    reason = _reach(scope, person, record)
    return Decision(bool(reason), permission, scope, reason or "outside the scope")


def _reach(scope: Scope, person: Person, record: RecordFacts) -> str:
    """The narrowest reason for which the scope reaches the record; empty where it does not."""
    if scope >= Scope.OWN and record.responsible == person.user:
        return "responsible"
    if scope >= Scope.OWN2 and record.second_responsible == person.user:
        return "second responsible"
    if scope >= Scope.TEAM and record.team in person.teams:
        return "team"
    if scope >= Scope.TERRITORY and record.territory in person.territories:
        return "territory"
    if scope >= Scope.TERRITORY_TREE and record.territory in person.territory_tree:
        return "territory tree"
    return "all" if scope is Scope.ALL else ""
