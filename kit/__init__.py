"""Tools without a domain: another product could use them as they are."""
