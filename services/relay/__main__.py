"""`python -m services.relay`: relay until SIGTERM."""

from contracts.program import Program
from services.relay.app import NAME, create_app
from services.relay.settings import RelaySettings


def main() -> None:
    """Serve with the settings of the environment."""
    Program(NAME, "services.relay", RelaySettings, create_app).main()


if __name__ == "__main__":
    main()
