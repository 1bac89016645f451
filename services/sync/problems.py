"""What sync tells its callers when a connection cannot be made, found or used."""

from kit.problems import Problem


class CrmAddressRefused(Problem, status=422, slug="crm-address-refused"):
    """The CRM's address is refused

    Only https, port 443 and a public DNS name are allowed; the detail says which rule was broken.
    Nothing was sent.
    """


class CrmProbeFailed(Problem, status=422, slug="crm-probe-failed"):
    """The CRM could not be used as described

    `step` says what was tried (token, identity, or a module), the detail why it failed. Nothing was
    saved.
    """


class ConnectionStateConflict(Problem, status=409, slug="connection-state-conflict"):
    """The connection is not in a state for this

    Read the connection's state and reason.
    """


class SecretMissing(Problem, status=409, slug="connection-secret-missing"):
    """The connection has no client secret

    Put one with PUT .../credentials.
    """


class CrmTargetTaken(Problem, status=409, slug="crm-target-taken"):
    """Another connection of the tenant writes the same rows

    The detail names the connection and its module. Records of both would overwrite each other: map
    them to another table or by another key, or remove the other connection.
    """


class ConnectionsTooMany(Problem, status=409, slug="connections-too-many"):
    """The tenant has too many connections

    Remove a connection that is not needed any more before making another one.
    """


class CredentialStaged(Problem, status=409, slug="credential-staged"):
    """A credential is staged already

    Wait until the CRM accepts it, or remove it with DELETE .../credentials/next first.
    """


class CredentialInUse(Problem, status=409, slug="credential-in-use"):
    """The credential is the one in use

    Put another one first; the connection can do nothing without it.
    """
