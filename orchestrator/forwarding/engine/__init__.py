"""Raw arrays -> who reaches whom with which packets, exactly and at the size of a province; kept up to date per change.

Knows no estate: `network.py` is what goes in. The plain simulator beside it stays the oracle. Begin with
`engine.Engine`, `builder.NetworkBuilder` (by name and by hand) and docs/forwarding.md.
"""
