import ssl

import httpx2
import pytest

from sandbox.certificates import Authority
from sandbox.dataverse import DataverseSimulator
from tests.sandbox.conftest import trusting

REASONS = {
    "self-signed": "self-signed certificate",
    "expired": "certificate has expired",
    "wrong-host": "Hostname mismatch",
}


@pytest.mark.parametrize("kind", REASONS)
async def test_a_client_refuses_each_untrusted_listener_and_sends_nothing(
    sim: DataverseSimulator, http: httpx2.AsyncClient, kind: str
) -> None:
    async with sim.untrusted() as addresses:
        with pytest.raises(httpx2.ConnectError, match=REASONS[kind]):
            await http.get(f"{addresses[kind]}/api/data/v9.2/WhoAmI")
    assert sim.requests() == []


async def test_the_good_certificate_passes_strict_checks(
    sim: DataverseSimulator, authority: Authority
) -> None:
    context = trusting(authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
        assert (await client.get(f"{sim.url}/api/data/v9.2/WhoAmI")).status_code == 401


async def test_an_authority_can_be_loaded_from_its_files(authority: Authority) -> None:
    identity = authority.identity()
    again = Authority.load(identity.certificate, identity.key)
    assert again.certificate == authority.certificate
