"""Who acts and what they may: the application user behind a token, its state and privileges."""

import uuid
from dataclasses import replace

from sandbox.dataverse import refusals
from sandbox.dataverse.addresses import guid
from sandbox.dataverse.calls import Call
from sandbox.dataverse.organisation import Switches
from sandbox.dataverse.refusals import Refusal
from sandbox.dataverse.schema import Table


def user_id(client_id: str) -> str:
    """The application user of a client; the same after every restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"systemuser/{client_id}"))


def check_user(switches: Switches, user: str) -> None:
    """Refuse everything in the name of a user who may not work here."""
    if switches.user != "enabled":
        code, text = _REFUSED[switches.user]
        raise Refusal(403, code, text.format(user=user))


def acting(call: Call, switches: Switches) -> Call:
    """The call in the name of another user, or past the plug-ins, if its headers ask for it."""
    if _SPECIAL.isdisjoint(call.headers):
        return call
    headers = call.headers
    for name, privilege in _PRIVILEGES.items():
        asked = headers.get(name, "").lower() not in ("", "false")
        if asked and privilege not in switches.extra_privileges:
            raise refusals.privilege_missing(call.user, privilege)
    if len(headers.get(_STEPS, "").split(",")) > _MOST_STEPS:
        raise Refusal(400, "0x80040203", f"No more than {_MOST_STEPS} steps can be bypassed.")
    bypass = any(headers.get(name, "").lower() not in ("", "false") for name in _BYPASS)
    named = headers.get("callerobjectid") or headers.get("mscrmcallerid")
    if not named:
        return replace(call, bypass=bypass)
    user = guid(named)
    if user is None:
        raise Refusal(400, "0x80040203", "The id of the caller is not a valid guid.")
    return replace(call, user=user, behalf=call.user, bypass=bypass)


def check_privilege(switches: Switches, user: str, verb: str, table: Table) -> None:
    """`verb` is Create, Read, Write, Delete, Append or AppendTo."""
    if switches.missing_privileges:
        name = f"prv{verb}{table.logical}"
        if name.lower() in (taken.lower() for taken in switches.missing_privileges):
            raise refusals.privilege_missing(user, name, table)


_MOST_STEPS = 3
_STEPS = "mscrm.bypassbusinesslogicexecutionstepids"
_BYPASS = ("mscrm.bypassbusinesslogicexecution", "mscrm.bypasscustompluginexecution", _STEPS)
_PRIVILEGES = {
    "callerobjectid": "prvActOnBehalfOfAnotherUser",
    "mscrmcallerid": "prvActOnBehalfOfAnotherUser",
    "mscrm.bypassbusinesslogicexecution": "prvBypassCustomBusinessLogic",
    _STEPS: "prvBypassCustomBusinessLogic",
    "mscrm.bypasscustompluginexecution": "prvBypassCustomPlugins",
}
_SPECIAL = frozenset(_PRIVILEGES)
_REFUSED = {
    "disabled": (
        "0x80040225",
        "The specified user(Id = {user}) is disabled. Consider enabling this user. Additional "
        "Details: User IsDisabled=True, IsLicensed=True, AccessMode=4.",
    ),
    "unlicensed": (
        "0x8004d24b",
        "The user with SystemUserId={user} in OrganizationContext has not been assigned any "
        "License.",
    ),
    "without_roles": (
        "0x80042f09",
        "The user with SystemUserId={user} has not been assigned any roles.",
    ),
    "not_a_member": ("0x80072560", "The user is not a member of the organization."),
}
