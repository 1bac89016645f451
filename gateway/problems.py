"""The problems that only the edge and its lists can have."""

from kit.problems import Problem


class AddressRefused(Problem, status=403, slug="edge-address-refused"):
    """Not allowed from this address

    The address of the caller is in no list that applies (the global one and the tenant's own), the
    tenant has no list yet or is suspended, or the token was made for another audience. A tenant's
    administrator sees and changes the tenant's list at /t/{tenant}/v1/allowlist.
    """


class OwnAddressOutside(Problem, status=409, slug="edge-own-address-outside"):
    """The new list would lock its author out

    The request came from an address that the new list does not hold. Add it, or repeat the request
    with ?force=true where that is what you want.
    """


class AllowlistNotFound(Problem, status=404, slug="edge-allowlist-not-found"):
    """There is no address list for this tenant

    Until there is one, every request to the tenant is refused at the edge.
    """
