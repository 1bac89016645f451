"""The HTTP operations of auth, by what they are about."""

from services.auth.routes import identity, invitations, logins, users

ROUTERS = [logins.router, invitations.router, users.router, identity.router]
