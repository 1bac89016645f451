"""Every path that the world may reach, and who answers it: what is not in this table is a 404."""

import re
from dataclasses import dataclass
from typing import Literal

Upstream = Literal["auth", "tenants", "sync", "backup", "gateway"]
Realm = Literal["tenant", "operators", "any", "public"]
Body = Literal["small", "ids", "large"]

UPSTREAMS: tuple[Upstream, ...] = ("auth", "tenants", "sync", "backup", "gateway")

_PARTS = {
    "{tenant}": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "{word}": "[a-z0-9_-]+",
    "{upload}": "(bulk|import)",
    "{asset}": r"[a-z-]+\.[0-9a-f]{16}\.(css|js)",
    "/**": "(/.*)?",
}
_T = "/t/{tenant}/v1"
_VIEWER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Files of ours only, nothing inline; the viewer's style sheet has its pictures in itself."""


@dataclass(frozen=True)
class PublicPath:
    """`name` stands in the access log in place of the path, which could carry anything.

    `realm` says whose address list decides: of the path's tenant, of the operators, of whoever the
    token names (any), or of nobody but the global list (public). `token`: a valid token is needed.
    `body`: small ones and lists of ids arrive wholly at the edge first; large ones, up to the
    upload limit, are passed on as they come. `compressed`: lists, feeds and exports, and nothing of
    auth, whose answers hold secrets (BREACH). `cacheable`: the service's word on caches is kept.
    `policy`: what a browser may load and run for it, where that is more than nothing.
    """

    name: str
    upstream: Upstream
    template: str
    realm: Realm = "tenant"
    token: bool = True
    body: Body = "small"
    compressed: bool = False
    cacheable: bool = False
    policy: str = ""

    @property
    def large(self) -> bool:
        return self.body == "large"

    @property
    def cluster(self) -> str:
        """Uploads have connections of their own: slow ones take none from other requests."""
        return f"{self.upstream}-uploads" if self.large else self.upstream

    def regex(self) -> str:
        """The template as an RE2 expression over the whole path without its query."""
        tokens = re.split(r"(\{[a-z]+\}|/\*\*)", self.template)
        return "".join(_PARTS.get(token) or re.escape(token) for token in tokens)


PUBLIC_PATHS = (
    PublicPath("login", "auth", f"{_T}/login", token=False),
    PublicPath("invitation-accept", "auth", f"{_T}/invitations/accept", token=False),
    PublicPath("session-refresh", "auth", f"{_T}/sessions/refresh", token=False),
    PublicPath("operator-login", "auth", "/v1/operators/login", "operators", token=False),
    PublicPath(
        "operator-accept", "auth", "/v1/operators/invitations/accept", "operators", token=False
    ),
    PublicPath(
        "operator-refresh", "auth", "/v1/operators/sessions/refresh", "operators", token=False
    ),
    PublicPath("key-set", "auth", "/.well-known/jwks.json", "public", token=False, cacheable=True),
    PublicPath("problems", "gateway", "/problems/{word}", "public", token=False),
    PublicPath(
        "api-document", "gateway", "/v1/openapi.json", "public", token=False, cacheable=True
    ),
    PublicPath(
        "docs", "gateway", "/docs", "public", token=False, cacheable=True, policy=_VIEWER_POLICY
    ),
    PublicPath("docs-files", "gateway", "/docs/{asset}", "public", token=False, cacheable=True),
    PublicPath("egress-addresses", "sync", "/v1/egress-addresses", "public", token=False),
    PublicPath("record-upload", "tenants", f"{_T}/records/{{word}}/{{upload}}", body="large"),
    PublicPath("record-deletion", "tenants", f"{_T}/records/{{word}}/bulk-delete", body="ids"),
    PublicPath("sessions", "auth", f"{_T}/sessions/**"),
    PublicPath("invitations", "auth", f"{_T}/invitations/**"),
    PublicPath("users", "auth", f"{_T}/users/**"),
    PublicPath("modules", "tenants", f"{_T}/modules/**"),
    PublicPath("records", "tenants", f"{_T}/records/**", compressed=True),
    PublicPath("field-choices", "tenants", f"{_T}/field-choices/**"),
    PublicPath("changes", "tenants", f"{_T}/changes/**", compressed=True),
    PublicPath("connections", "sync", f"{_T}/connections/**", compressed=True),
    PublicPath("backups", "backup", f"{_T}/backups/**", compressed=True),
    PublicPath("restores", "backup", f"{_T}/restores/**"),
    PublicPath("allowlist", "gateway", f"{_T}/allowlist"),
    PublicPath("me", "auth", "/v1/me", "any"),
    PublicPath("logout", "auth", "/v1/logout", "any"),
    PublicPath("operators", "auth", "/v1/operators/**", "operators"),
    PublicPath("operator-invitations", "auth", "/v1/invitations", "operators"),
    PublicPath("tenants", "tenants", "/v1/tenants/**", "operators", compressed=True),
    PublicPath("allowlists", "gateway", "/v1/allowlists/**", "operators"),
)
