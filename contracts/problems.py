"""Problems that more than one service answers with."""

from kit.problems import Problem


class TenantIsSuspended(Problem, status=403, slug="tenant-suspended"):
    """The tenant is suspended

    Its data is kept. Nobody can log in, read or write until an operator resumes it.
    """
