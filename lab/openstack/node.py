"""The cloud's compute and network node: Open vSwitch, OVN's controller and the servers, inside a node of the lab.

Whoever makes the network gives the process id of a namespace set (process, network, mount, host name; a private
``/run``) that holds the veth ends of the provider networks. Everything put into it ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lab import ovn
from lab.openstack import namespaces, processes
from lab.openstack import server as servers_of
from lab.openstack.server import Server
from lab.openstack.settings import NODE, PHYSICAL_NETWORK, Bed, bed, write_private
from lab.progress import Progress, silent
from orchestrator.errors import LabError

RUN = "/run/openvswitch"
_START = """
mkdir -p {run}; cd {run}
[ -e conf.db ] || ovsdb-tool create conf.db {schema}
ovsdb-server conf.db --remote=punix:{run}/db.sock --pidfile --detach -vconsole:off -vsyslog:off --log-file
ovs-vsctl --no-wait -- init -- set Open_vSwitch . other_config:userspace-tso-enable=true {identity}
ovs-vswitchd --pidfile --detach -vconsole:off -vsyslog:off --log-file
ovs-vsctl -- --may-exist add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure \
 -- --may-exist add-br br-ex -- set bridge br-ex datapath_type=netdev fail-mode=standalone
ovn-controller unix:{run}/db.sock --pidfile={run}/ovn-controller.pid --detach -vconsole:off -vsyslog:off --log-file
"""


class Node(BaseModel):
    """The attached node: its process and its start, provider ports (interface -> VLAN), ports to answer on."""

    model_config = ConfigDict(frozen=True)
    pid: int
    started: str
    provider_ports: dict[str, int]
    answer_ports: tuple[int, ...]

    @property
    def alive(self) -> bool:
        """Whether it is still the same process."""
        return namespaces.started(self.pid) == self.started


def node() -> Node | None:
    """Return the attached node while it lives, or None."""
    file = bed().folder / "node.json"
    if not file.exists():
        return None
    found = Node.model_validate_json(file.read_text())
    return found if found.alive else None


def attach_node(
    node_pid: int, provider_ports: Mapping[str, int], progress: Progress = silent, answer_ports: Iterable[int] = ()
) -> None:
    """Make a namespace set the cloud's node: interface -> VLAN of the provider network that it carries.

    The interfaces must be in the node already. May be called again with other ports; a node of an earlier call is
    given up. Servers answer probes on ``answer_ports`` (TCP) until :func:`answer` says otherwise for one of them.

    Raises:
        LabError: the process is not there, an interface is missing, or the cloud does not take the node.
    """
    cloud = bed()
    if processes.keeper(cloud) is None:
        raise LabError("a node needs the cloud: run 'python -m lab.openstack up' first")
    begun, since = time.monotonic(), namespaces.started(node_pid)
    if since is None:
        raise LabError(f"no process {node_pid} to attach as the cloud's node: start the network first")
    known = node()
    if known is not None and known.pid != node_pid:
        detach_node()
    ports = {"provider_ports": dict(provider_ports), "answer_ports": tuple(sorted(answer_ports))}
    this = Node(pid=node_pid, started=since, **ports)
    _start_switching(this, cloud)
    _wire(this)
    write_private(cloud.folder / "node.json", this.model_dump_json())
    wait_chassis(cloud)
    _start_plugger(cloud)
    seconds = time.monotonic() - begun
    progress(f"openstack: node attached after {seconds:.1f} s, {len(provider_ports)} provider ports")


def detach_node() -> None:
    """Take the cloud out of its node: plugger, servers, OVN's controller and Open vSwitch end; the node stays."""
    cloud = bed()
    known = node()
    kept = servers_of.load(cloud)
    for pid in namespaces.marked(_plugger_mark(cloud), *(f"server:{one}" for one in kept), _switching_mark(cloud)):
        _kill(pid)
    if known is not None:
        spaces = "ip netns list 2>/dev/null | awk '/^vm-/ {print $1}' | xargs -r -n1 ip netns del"
        namespaces.run(known.pid, ["bash", "-c", f"{spaces}; rm -rf {RUN}"])
    (cloud.folder / "node.json").unlink(missing_ok=True)


def server_exec(
    name_or_id: str, arguments: Sequence[str], seconds: float = 60, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a server, as its console would, and return what it said (``text`` goes to its input).

    This goes past the network: to show that something is reachable, use ssh or a probe from another host.
    """
    outer, inner = _processes(name_or_id)
    command = [*namespaces.entering(outer), *namespaces.entering(inner), *arguments]
    return subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=seconds)


def server_namespace(name_or_id: str) -> str:
    """Return the file of a running server's network namespace as this machine sees it; raise :class:`LabError`."""
    outer, inner = _processes(name_or_id)
    return f"/proc/{outer}/root/proc/{inner}/ns/net"  # the node counts processes for itself


def _processes(name_or_id: str) -> tuple[int, int]:
    """Return the node's first process, and the server's first process as the node counts it."""
    server, here = servers_of.find(name_or_id), node()
    pid = servers_of.process(server, here.pid) if here else None
    if here is None or pid is None:
        raise LabError(f"server '{name_or_id}' is not running: attach the node, or start the server")
    return here.pid, pid


def wait_servers(names: Iterable[str], seconds: float = 60) -> None:
    """Return when all these servers run and answer probes: Nova calls a server active a moment before it has booted.

    Raises LabError when one is still missing after this time.
    """
    missing = list(names)

    def ready(name: str) -> bool:
        try:
            server, here = servers_of.find(name), node()
        except LabError:
            return False
        up = here is not None and servers_of.process(server, here.pid) is not None
        return up and (server.folder(bed()) / "answering").exists()

    def none_left() -> bool:
        missing[:] = [name for name in missing if not ready(name)]
        return not missing

    if not processes.wait(none_left, seconds):
        log = bed().folder / "plugger.log"
        raise LabError(f"server '{missing[0]}' does not run after {seconds:.0f} s: attach the node, or see {log}")


def servers() -> tuple[Server, ...]:
    """Return the plugged servers, by name."""
    return tuple(sorted(servers_of.load(bed()).values(), key=lambda one: (one.name, one.id)))


def answer(name_or_id: str, ports: Iterable[int]) -> None:
    """Let one server answer probes on exactly these TCP ports; raise :class:`LabError` when others hold one of them."""
    server, wanted = servers_of.find(name_or_id), sorted(set(ports))
    folder = server.folder(bed())
    effect = folder / "answering"
    effect.unlink(missing_ok=True)
    write_private(folder / "answer", " ".join(map(str, wanted)))
    if not processes.wait(effect.exists, 10):
        raise LabError(f"the plugger did not take up the ports of '{name_or_id}': see {bed().folder / 'plugger.log'}")
    if busy := effect.read_text().split():
        raise LabError(f"server '{name_or_id}' runs something of its own on port {', '.join(busy)}: probe that instead")


def server_key() -> Path:
    """Return the private key with which root may log in to every server (besides the keypair given to Nova)."""
    file = bed().folder / "server_key"
    if not file.exists():
        servers_of.new_key(file, "onefold-lab")
    return file


def host_key(name_or_id: str) -> str:
    """Return a server's public host key (``ssh-ed25519 …``), for a known_hosts file."""
    return " ".join((servers_of.find(name_or_id).folder(bed()) / "host_key.pub").read_text().split()[:2])


def _plugger_mark(cloud: Bed) -> str:
    return f"plugger:{cloud.folder}"


def _switching_mark(cloud: Bed) -> str:
    return f"switching:{cloud.folder}"


def _environment(cloud: Bed) -> dict[str, str]:
    return {
        "PATH": ovn.ensure().path(), "OVS_RUNDIR": RUN, "OVS_DBDIR": RUN, "OVS_LOGDIR": RUN, "OVN_RUNDIR": RUN,
        "OVN_LOGDIR": RUN, namespaces.MARK: _switching_mark(cloud),
    }  # fmt: skip


def _start_switching(this: Node, cloud: Bed) -> None:
    """Start Open vSwitch (userspace datapath) and OVN's controller, unless they run."""
    environment = _environment(cloud)
    if namespaces.run(this.pid, ["bash", "-c", f"kill -0 $(cat {RUN}/ovn-controller.pid)"]).returncode == 0:
        return
    identity = {
        "system-id": NODE, "hostname": NODE, "ovn-remote": f"unix:{cloud.ovn / 'sb.sock'}", "ovn-encap-type": "geneve",
        "ovn-encap-ip": "127.0.0.1", "ovn-bridge-datapath-type": "netdev", "ovn-monitor-all": "true",
        "ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:br-ex", "ovn-cms-options": "enable-chassis-as-gw",
    }  # fmt: skip
    words = " ".join(f"external_ids:{name}={value}" for name, value in identity.items())
    text = _START.format(run=RUN, schema=ovn.ensure().schema("vswitch"), identity=words)
    namespaces.script(this.pid, text, environment)


def _wire(this: Node) -> None:
    """Make the provider ports access ports of br-ex, and only them.

    Whole segmentation-offload packets meet OVN's length check and vanish: no offload towards it.
    """
    environment = {"PATH": ovn.ensure().path(), "OVS_RUNDIR": RUN}
    have = set(namespaces.script(this.pid, "ovs-vsctl list-ports br-ex", environment).split())
    others = sorted(port for port in have - set(this.provider_ports) if "patch" not in port)
    lines = [f"ovs-vsctl del-port br-ex {port}" for port in others]
    for port, vlan in sorted(this.provider_ports.items()):
        lines += [f"ip link set {port} up gso_max_segs 1"]
        lines += [f"ovs-vsctl -- --may-exist add-port br-ex {port} -- set port {port} tag={vlan}"]
    if lines:
        namespaces.script(this.pid, "\n".join(lines), environment)


def wait_chassis(cloud: Bed) -> None:
    """Wait until Neutron counts the node among its living agents: ports bind from then on."""
    from lab.openstack.catalogue import connect  # late: openstacksdk takes a second to import

    network = connect(cloud).network

    def taken() -> bool:
        return any(agent.is_alive for agent in network.agents(host=NODE) if "OVN Controller" in agent.agent_type)

    if not processes.wait(taken, 60, 0.3):
        raise LabError(f"Neutron does not see node '{NODE}': see {RUN}/ovn-controller.log inside the node")


def _start_plugger(cloud: Bed) -> None:
    """Start the plugger afresh, outside the node, with its output in plugger.log."""
    mark = _plugger_mark(cloud)
    for pid in namespaces.marked(mark):
        _kill(pid)
    (cloud.folder / "plugger.ready").unlink(missing_ok=True)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, namespaces.MARK: mark, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}
    with (cloud.folder / "plugger.log").open("a") as log:
        command = ["setsid", "--fork", sys.executable, "-m", "lab.openstack.plugger"]
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    if not processes.wait((cloud.folder / "plugger.ready").exists, 30):
        raise LabError(f"the plugger did not start: see {cloud.folder / 'plugger.log'}")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    processes.wait(lambda: not Path(f"/proc/{pid}").exists(), 5, 0.02)
