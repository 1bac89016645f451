"""Which certificate the server presents: the good one, or one that every client must refuse."""

import ssl

from sandbox.certificates import Authority, issue_self_signed
from sandbox.dataverse.organisation import Switches

_ALWAYS_VALID = "localhost"
"""The name of the control API's clients: they must be able to switch back."""


def present_by_switch(
    context: ssl.SSLContext, switches: Switches, authority: Authority, host: str
) -> None:
    """Let `switches.certificate` choose what clients of any name but localhost are shown."""
    bad = {
        "self-signed": issue_self_signed(host).server_context(),
        "expired": authority.issue_expired(host).server_context(),
        "wrong-host": authority.issue("somewhere-else.test").server_context(),
    }

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name != _ALWAYS_VALID and switches.certificate in bad:
            connection.context = bad[switches.certificate]

    context.sni_callback = choose
