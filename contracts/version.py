"""Which Bulkhead this is: pyproject.toml reads it here, so that images without a package know."""

VERSION = "0.1.0"
