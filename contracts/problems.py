"""Problems that more than one service answers with."""

from kit.problems import DependencyDown, Problem


class TenantIsSuspended(Problem, status=403, slug="tenant-suspended"):
    """The tenant is suspended

    Its data is kept. Nobody can log in, read or write until an operator resumes it.
    """


class TenantBeingRestored(DependencyDown, status=503, slug="tenant-being-restored"):
    """The tenant's database is being exchanged

    A restored database is taking the place of the old one. Try again in a second.
    """

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class TenantNotUpgraded(DependencyDown, status=503, slug="tenant-not-upgraded"):
    """The tenant's database is not up to date

    This release needs more of it than it has, and bringing it up to date has not succeeded yet. It
    is tried again every minute; nothing was read or written. The operator finds the reason in the
    log of tenants ("item failed", timer "upgrades").
    """

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "60"})
