"""All that services may know of each other."""
