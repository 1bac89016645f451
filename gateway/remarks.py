"""What is allowed and may not be meant: said once, when the gateway starts."""

from collections.abc import Iterable
from ipaddress import ip_network

from gateway.settings import GatewaySettings


def of(settings: GatewaySettings, global_ranges: Iterable[str]) -> list[str]:
    """Sentences about these settings and about the global list that is in force."""
    open_to_all = [text for text in global_ranges if ip_network(text).prefixlen == 0]
    remarks = [
        f"the global list holds {text}: everybody may reach the edge" for text in open_to_all
    ]
    if settings.callers_hidden:
        remarks.append(
            "callers' addresses are hidden by what stands in front of the edge: limits per address "
            "are off, and address lists see that address alone"
        )
    return remarks
