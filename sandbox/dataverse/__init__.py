"""A Dataverse Web API simulator: real HTTPS, documented behaviours, nothing trusted but proved."""

from sandbox.dataverse.limits import Limits
from sandbox.dataverse.organisation import Switches
from sandbox.dataverse.simulator import DataverseSimulator

__all__ = ["DataverseSimulator", "Limits", "Switches"]
