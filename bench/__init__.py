"""Benchmarks: this code beside the usual way, in one run on one machine, as ratios."""
