"""Boundary rules: one sentence and one generator each, in one file each, listed nowhere (registry.py finds them)."""
