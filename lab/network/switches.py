"""Unmanaged switches: Open vSwitch with its userspace datapath, one per switch node (Debian 13's, see lab.ovn)."""

from __future__ import annotations

from lab import ovn
from lab.network.node import script

#: what must run in a switch node, for `status`
DAEMONS = ("ovsdb-server", "ovs-vswitchd")

_START = """
export PATH={path} OVS_RUNDIR=/run/openvswitch OVS_DBDIR=/run/openvswitch OVS_LOGDIR=/run/openvswitch
cd /run/openvswitch
ovsdb-tool create conf.db {schema}
ovsdb-server conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach -vconsole:off -vfile:off
# without it TCP stalls: kernels hand over packets larger than the MTU and without checksums
ovs-vsctl --no-wait -- init -- set Open_vSwitch . other_config:userspace-tso-enable=true
ovs-vswitchd --pidfile --detach -vconsole:off -vfile:off
ovs-vsctl --timeout=20 -- add-br br0 -- set bridge br0 datapath_type=netdev fail-mode=standalone {ports}
"""


def start(switch: str, ports: dict[str, int | None], switching: ovn.Switching) -> None:
    """Start Open vSwitch in the node and take these ports (VLAN tag, None: untagged) into its one bridge."""
    added = " ".join(f"-- add-port br0 {port}" + (f" tag={tag}" if tag else "") for port, tag in sorted(ports.items()))
    script(switch, _START.format(path=switching.path(), schema=switching.schema("vswitch"), ports=added))
