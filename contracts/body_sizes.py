"""How large a body may be, for the edge and for the services behind it: one limit, named once."""

from kit.http.bodies import DEFAULT_LIMIT

MOST_BODY = DEFAULT_LIMIT
"""Of every route that is not named."""
MOST_UPLOAD = 32 * 1024 * 1024
"""Of routes that take many records at once."""
MOST_IDS = 512 * 1024
"""Of routes that take a list of ids."""
