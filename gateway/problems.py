"""The problems that only the edge and its lists can have."""

from kit.problems import Problem


class CallerAddressRefused(Problem, status=403, slug="edge-address-refused"):
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


class RequestMalformed(Problem, status=400, slug="request-malformed"):
    """The request is not one that the edge understands

    Its method, path, host, headers or framing are against HTTP or could be read in two ways: two
    hosts, an escaped slash in the path, a length and chunks together, an unknown method. The detail
    says what was seen, where it can be said. Nothing behind the edge has seen it.
    """


class HttpTooOld(Problem, status=426, slug="http-too-old"):
    """HTTP/1.0 is not spoken here

    Use HTTP/1.1 or HTTP/2.
    """


class HeadersTooLarge(Problem, status=431, slug="headers-too-large"):
    """The headers are too large

    At most 64 headers of 32 KiB together are taken: send fewer or smaller ones.
    """


class AnswerMalformed(Problem, status=502, slug="answer-malformed"):
    """The service broke off its answer

    Try again if the request may be repeated. The operator finds the reason in that service's log.
    """


class AnswerTooLate(Problem, status=504, slug="answer-too-late"):
    """The service did not answer in time

    What was asked for may still happen: look before repeating what may not be done twice. The
    operator looks for a slow service.
    """
