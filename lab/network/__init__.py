"""The network lab: an estate raised as real routers, switches, a firewall and hosts, one namespace set per node."""

from lab.network.carrier import release, restore
from lab.network.lifecycle import down, require_down, reset, status, up
from lab.network.node import execute, node_pid
from lab.network.record import saved_cloud, saved_estate

__all__ = [
    "down",
    "execute",
    "node_pid",
    "release",
    "require_down",
    "reset",
    "restore",
    "saved_cloud",
    "saved_estate",
    "status",
    "up",
]
