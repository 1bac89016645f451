"""`python -m services.relay`: relay until SIGTERM."""

from kit import http, logs
from services.relay.app import create_app
from services.relay.settings import RelaySettings


def main() -> None:
    """Serve with the settings of the environment."""
    settings = RelaySettings()
    logs.setup("relay", settings.log_level)
    http.serve(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        metrics_port=settings.metrics_port,
        drain_s=settings.drain_s,
    )


if __name__ == "__main__":
    main()
