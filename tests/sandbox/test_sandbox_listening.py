import socket

from sandbox.dataverse import listening
from tests.sandbox.conftest import Crm


async def test_a_reply_never_waits_for_an_acknowledgement(crm: Crm) -> None:
    """Head and body are two writes: without TCP_NODELAY each such reply takes 40 ms more."""
    assert (await crm.send("GET", "WhoAmI")).is_success
    opened = list(listening._connections.values())
    assert opened
    for transport in opened:
        accepted = transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
