"""Which Bulkhead this is: pyproject.toml reads it here, so that images without a package know."""

VERSION = "0.2.0.dev0"
