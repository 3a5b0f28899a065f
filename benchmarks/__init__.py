"""Benchmarks: speed and memory, one JSON object each, with units, the peer measured in the same run, and the ratio."""
