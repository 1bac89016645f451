"""The first operator of a new installation: one one-time invitation, accepted here, kept in a file
that only its owner can read."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

from ops.api import Api, Login
from ops.local.layout import Layout
from ops.local.suite import Suite, SuiteFailed
from ops.secrets import write_private

_EMAIL = "operator@bulkhead.example"


async def first_operator(layout: Layout, suite: Suite) -> Login:
    """Make the account and write its login to the credentials file (mode 0600)."""
    invitation = layout.secrets / "first-invitation"
    invitation.unlink(missing_ok=True)  # of a start that did not get further
    await _invite(suite, invitation)
    login = Login(_EMAIL, secrets.token_urlsafe(24))
    authority = layout.certificates / "authority.pem"
    async with Api(layout.url, authority, login) as api:
        await api.accept(invitation.read_text().strip())
    invitation.unlink()
    known = {
        "url": layout.url,
        "ca": str(authority),
        "operator": {"email": login.email, "password": login.password},
    }
    write_private(layout.credentials, json.dumps(known, indent=1) + "\n")
    return login


async def _invite(suite: Suite, output: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.auth", "first-invitation", "--email", _EMAIL, "--output", str(output)),
        env=suite.environment("auth"),
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise SuiteFailed(f"no first invitation: {errors.decode(errors='replace')[-500:]}")
