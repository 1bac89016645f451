"""`python -m services.relay`: relay until SIGTERM."""

from kit import http, logs
from services.relay.app import create_app
from services.relay.settings import RelaySettings


def main() -> None:
    """Serve with the settings of the environment."""
    settings = RelaySettings()
    logs.setup("relay", settings.log_level)
    http.serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
