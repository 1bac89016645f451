"""A service of the suite on the chassis: with the two verifiers, and auth's key set kept fresh."""

from dataclasses import replace

from fastapi import FastAPI

from contracts import authorise
from contracts.broker import BULKHEAD
from contracts.credentials import AccessVerifier
from contracts.settings import ServiceSettings
from kit import chassis
from kit.chassis import Made
from kit.http import parts_of, put


def assemble(
    settings: ServiceSettings, made: Made, *, access: AccessVerifier | None = None
) -> FastAPI:
    """The app. `access` is for auth, which knows its own keys; the others ask auth for them, do
    so again every half minute, and are not ready before they have seen some."""

    async def check_keys() -> None:
        await parts_of(app, AccessVerifier).check()

    async def refresh_keys() -> None:
        await parts_of(app, AccessVerifier).refresh()

    if access is None:
        keys = authorise.key_timer(refresh_keys)
        made = replace(
            made, timers=[*made.timers, keys], needed={**made.needed, "keys": check_keys}
        )
    app = chassis.build(replace(made, queue=BULKHEAD.queue_of(made.name)))
    authorise.install(app, settings, made.name)
    if access is not None:
        put(app, access)
    return app
