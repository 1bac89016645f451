"""What the routes work with; `create_app` puts it together once."""

from dataclasses import dataclass
from typing import Annotated

from gateway.edge import Edge
from kit.db import Database
from kit.http import given


@dataclass(frozen=True)
class GatewayParts:
    """A list is stored first, and published after the commit: both in one deed."""

    db: Database
    edge: Edge


With = Annotated[GatewayParts, given(GatewayParts)]
