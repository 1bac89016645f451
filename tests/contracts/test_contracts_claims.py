"""Claims of rightly signed tokens are still judged one by one."""

from typing import Any
from uuid import uuid4

import pytest

from contracts.access import Grants, Scope
from contracts.credentials import Actor, CallerVerifier, ServiceAuth, actor_of, claims_of
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS, fingerprint
from kit.problems import NotAuthenticated
from kit.sealing import SigningKey
from kit.tokens import Signer, TokenRefused

GRANTS = Grants(PERMISSIONS, {"person.view": Scope.OWN})
ACTOR = Actor("tenant", UserId(uuid4()), TenantId(uuid4()), SessionId(uuid4()), 25, GRANTS)
OPERATOR = Actor(
    "operators", UserId(uuid4()), None, SessionId(uuid4()), 90, Grants(OPERATOR_PERMISSIONS, {})
)


@pytest.mark.parametrize("actor", [ACTOR, OPERATOR], ids=["tenant", "operator"])
def test_claims_say_who_the_actor_is_and_are_read_back(actor):
    found = actor_of(claims_of(actor, 1))
    assert (found.realm, found.user, found.tenant) == (actor.realm, actor.user, actor.tenant)
    assert (found.session, found.level) == (actor.session, actor.level)
    assert dict(found.grants.items()) == dict(actor.grants.items())


HOSTILE: dict[str, tuple[Actor, dict[str, Any]]] = {
    "no realm of ours": (ACTOR, {"rlm": "root"}),
    "realm as list": (ACTOR, {"rlm": ["tenant"]}),
    "tenant's claims in the other realm": (ACTOR, {"rlm": "operators"}),
    "operator's claims as a tenant's": (OPERATOR, {"rlm": "tenant"}),
    "another catalogue": (ACTOR, {"cat": "00000000"}),
    "the other realm's catalogue": (ACTOR, {"cat": fingerprint(OPERATOR_PERMISSIONS)}),
    "operator of a tenant": (OPERATOR, {"tid": str(uuid4())}),
    "operator of no tenant, but said": (OPERATOR, {"tid": None}),
    "tenant that is no id": (ACTOR, {"tid": "x"}),
    "tenant null": (ACTOR, {"tid": None}),
    "user that is no id": (ACTOR, {"sub": 1}),
    "session that is no id": (ACTOR, {"sid": ""}),
    "level that is no number": (ACTOR, {"lvl": None}),
    "grants as number": (ACTOR, {"grt": 5}),
    "grants as list": (ACTOR, {"grt": []}),
    "grants of another length": (ACTOR, {"grt": "AAAA"}),
    "grants with padding": (ACTOR, {"grt": GRANTS.encode() + "="}),
    "grants that name scope 7": (ACTOR, {"grt": "_" * len(GRANTS.encode())}),
}


@pytest.mark.parametrize(("actor", "claims"), HOSTILE.values(), ids=HOSTILE)
def test_a_claim_that_we_would_not_issue_is_refused(actor, claims):
    with pytest.raises(TokenRefused):
        actor_of(claims_of(actor, 1) | claims)


@pytest.mark.parametrize("name", ["rlm", "cat", "tid", "sub", "sid", "lvl", "grt"])
def test_no_claim_may_be_missing(name):
    claims = claims_of(ACTOR, 1)
    del claims[name]
    with pytest.raises(TokenRefused):
        actor_of(claims)


@pytest.mark.parametrize("order", [("sync", "backup"), ("backup", "sync")])
def test_a_services_name_is_bound_to_its_key_kid_and_issuer(order):
    keys = {name: SigningKey.generate() for name in order}
    verifier = CallerVerifier("here", {n: key.public.to_base64url() for n, key in keys.items()})
    assert verifier.caller(ServiceAuth(keys["sync"], "sync", "here").token()) == "sync"
    assert verifier.caller(ServiceAuth(keys["backup"], "backup", "here").token()) == "backup"
    for kid, issuer in (("sync", "backup"), ("backup", "sync"), ("backup", "backup")):
        auth = ServiceAuth(keys["sync"], issuer, "here")
        auth._signer = Signer(keys["sync"], kid)  # its own key under another's name
        with pytest.raises(NotAuthenticated):
            verifier.caller(auth.token())
