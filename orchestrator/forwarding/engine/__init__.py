"""Raw arrays -> who reaches whom with which packets, exactly and at the size of a province; kept up to date per change.

Knows no estate: `network.py` is what goes in. The plain simulator beside it stays the oracle.

    engine = Engine(network)          # build from arrays: devices' tables, links, filters, zones
    engine.reach().packets(0, 3)      # ask
    change = engine.apply(AddRoute(7, Prefix(4, 0xC0000200, 24), (Hop(HopKind.DROP),)))
    engine.difference(change)         # ask again
    engine.undo(change)
"""

from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.changed import UpdateError, changed
from orchestrator.forwarding.engine.check import NetworkError, check_network
from orchestrator.forwarding.engine.engine import Change, Engine
from orchestrator.forwarding.engine.network import Action, HopKind, Network, Packet
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.policy import Broken, Flow, Policy
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    Update,
)

__all__ = [
    "Action",
    "AddRoute",
    "Broken",
    "Change",
    "Engine",
    "Entry",
    "Flow",
    "Hop",
    "HopKind",
    "InsertEntry",
    "Match",
    "Network",
    "NetworkBuilder",
    "NetworkError",
    "Packet",
    "PacketSet",
    "Policy",
    "PortDown",
    "PortUp",
    "Prefix",
    "RemoveEntry",
    "RemoveRoute",
    "ReplaceEntry",
    "ReplaceRoute",
    "Update",
    "UpdateError",
    "changed",
    "check_network",
]
