"""The problems that only the tenants service has."""

from kit.problems import NotFound, Problem, RequestInvalid


class PaymentDataRefused(RequestInvalid, status=422, slug="payment-data-refused"):
    """Payment card data is refused

    A value holds what looks like a payment card number, and none is ever stored. `pointer` names
    the place (for bulk bodies `errors` names the lines); the value itself is not kept anywhere.
    """


class TenantNameTaken(Problem, status=409, slug="tenant-name-taken"):
    """There is a tenant of this name

    Choose another name, or use the tenant that exists.
    """


class ConnectionNotRegistered(NotFound, status=404, slug="connection-not-registered"):
    """There is no such connection

    Fields are chosen for a connection that exists. One that was made a moment ago while a part of
    the service was away becomes known within a minute or two: repeat the request then.
    """


class SpaceUsedUp(Problem, status=507, slug="space-used-up"):
    """The tenant has no room left

    It stores as much as it may (`used_bytes`, `allowed_bytes`), or the volume is nearly full and it
    is among the largest. Reading and deleting go on. The operator raises
    BULKHEAD_SPACE_PER_TENANT or enlarges the volume, or reclaims what was deleted (VACUUM FULL).
    """


class SwapRefused(Problem, status=409, slug="swap-refused"):
    """The swap cannot begin

    Another restore of this tenant is being put in place, or the restored database cannot be
    brought up to date (the operator finds the reason in the log). The tenant is as it was.
    """
