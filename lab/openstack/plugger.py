"""What Nova's hypervisor driver would do: gives every bound compute port a namespace, and takes it away with the port.

``python -m lab.openstack.plugger`` runs beside the attached node until the node ends. It reads the world (ports,
servers, namespaces) in every round and keeps nothing in memory that it could not read again, so it may be ended and
started at any time. While the control plane is down it waits, and the packets keep going.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import NotFoundException, SDKException

from lab import ovn
from lab.openstack import namespaces, server
from lab.openstack.answerer import Answerer
from lab.openstack.catalogue import Connection, connect
from lab.openstack.node import RUN, Node, node, server_key
from lab.openstack.server import Plug, Server
from lab.openstack.settings import NODE, Bed, bed, write_private
from lab.openstack.watcher import Watcher
from orchestrator.errors import LabError

#: how long the cloud is left alone when nothing changes, and how often probes' listeners are looked after (seconds)
EVERY = 2.0
TICK = 0.3


def log(line: str) -> None:
    """Print one line with the time."""
    print(f"{time.time():.3f} {line}", flush=True)


class Plugger:
    """One round after the other; see the module."""

    def __init__(self, cloud: Bed, here: Node) -> None:
        self.cloud = cloud
        self.here = here
        self.connection: Connection = connect(cloud)
        self.answerer = Answerer()
        self.stopped: frozenset[str] = frozenset()
        self.subnets: dict[str, tuple[int, dict[str, tuple[str, str | None]]]] = {}
        self.key = server_key().with_suffix(".pub").read_text()

    def begin(self) -> None:
        """Forget what an earlier node held: only the files of its servers are still there."""
        self.answerer.start()
        spaces = set(namespaces.script(self.here.pid, "ls /run/netns 2>/dev/null || true").split())
        for one in server.load(self.cloud).values():
            if one.namespace not in spaces:
                one.model_copy(update={"ports": {}}).save(self.cloud)

    def round(self) -> None:
        """Bring the node to what Neutron and Nova say."""
        wanted = self._ports()
        have = server.load(self.cloud)
        self._refresh(wanted, have)
        for one in have.values():
            self._unplug_missing(one, wanted)
        for port in wanted.values():
            self._plug(port, server.load(self.cloud).get(port["device_id"]))
        for one in server.load(self.cloud).values():
            self._follow(one)

    def answer(self) -> None:
        """Listen where probes are to be answered; asks the cloud nothing."""
        for one in server.load(self.cloud).values():
            self._answer(one)

    def _ports(self) -> dict[str, dict[str, Any]]:
        response = self.connection.network.get(f"/ports?binding:host_id={NODE}")
        if response.status_code != 200:
            raise LabError(f"Neutron answers {response.status_code}")
        return {
            port["id"]: port
            for port in response.json()["ports"]
            if port["device_owner"].startswith("compute:") and port["binding:vif_type"] == "ovs"
        }

    def _refresh(self, wanted: dict[str, dict[str, Any]], have: dict[str, Server]) -> None:
        """Ask Nova which of its servers are stopped, when there are any.

        Nothing else of them is asked: for every server told in full, Nova asks Neutron twice.
        """
        if have or wanted:
            stopped = self.connection.compute.servers(details=False, all_projects=True, status="SHUTOFF")
            self.stopped = frozenset(one.id for one in stopped)

    def _server(self, identity: str) -> Any | None:
        """Return what Nova says of one server in full; None when it knows none of this name."""
        try:
            return self.connection.compute.get_server(identity)
        except NotFoundException:
            return None

    def _describe(self, port: dict[str, Any]) -> Server:
        """Return the server of a port that is not plugged yet; a port without a Nova server is one by itself."""
        identity = port["device_id"]
        known = self._server(identity)
        if known is None:
            return Server(id=identity, name=port["name"] or identity[:8], project=port["project_id"], keys=(self.key,))
        keys = [self.key]
        if known.key_name:
            pair = self.connection.compute.get_keypair(known.key_name, user_id=known.user_id)
            keys.append(pair.public_key)
        return Server(id=identity, name=known.name, project=known.project_id, keys=tuple(keys))

    def _network(self, identity: str) -> tuple[int, dict[str, tuple[str, str | None]]]:
        """Return a network's largest packet and its subnets: id -> (prefix length, gateway)."""
        if identity not in self.subnets:
            network = self.connection.network.get_network(identity)
            subnets = self.connection.network.subnets(network_id=identity)
            self.subnets[identity] = (
                network.mtu,
                {subnet.id: (subnet.cidr.partition("/")[2], subnet.gateway_ip) for subnet in subnets},
            )
        return self.subnets[identity]

    def _plug(self, port: dict[str, Any], known: Server | None) -> None:
        if known is not None and port["id"] in known.ports:
            return
        begun = time.monotonic()
        one = known or self._describe(port)
        self.subnets.pop(port["network_id"], None)  # its subnets may have changed since
        mtu, subnets = self._network(port["network_id"])
        plug = Plug(
            tap=f"tap{port['id'][:11]}", interface=f"eth{_free(one)}",
            addresses=tuple(f"{ip['ip_address']}/{subnets[ip['subnet_id']][0]}" for ip in port["fixed_ips"]),
        )  # fmt: skip
        gateways = [subnets[ip["subnet_id"]][1] for ip in port["fixed_ips"]]
        first = not one.ports
        self._script(_plugging(one, port, plug, mtu, next(filter(None, gateways), None) if first else None))
        one = one.model_copy(update={"ports": {**one.ports, port["id"]: plug}})
        one.save(self.cloud)
        if first:
            server.boot(one, self.here.pid, self.cloud)
        seconds = time.monotonic() - begun
        log(f"plugged {one.name} {one.id} {plug.interface} {','.join(plug.addresses)} in {seconds:.2f} s")

    def _unplug_missing(self, one: Server, wanted: dict[str, dict[str, Any]]) -> None:
        gone = {identity: plug for identity, plug in one.ports.items() if not self._same(plug, wanted.get(identity))}
        if not gone and one.ports:
            return
        left = {identity: plug for identity, plug in one.ports.items() if identity not in gone}
        for plug in gone.values():
            self._script(
                f"ovs-vsctl --if-exists del-port br-int {plug.tap}\nip link del {plug.tap} 2>/dev/null || true"
            )
        if left or any(port["device_id"] == one.id for port in wanted.values()):
            one.model_copy(update={"ports": left}).save(self.cloud)
            return
        self.answerer.set(one.namespace, "", one.name, frozenset())
        server.halt(one)
        self._script(f"ip netns del {one.namespace} 2>/dev/null || true")
        server.discard(one, self.cloud)
        log(f"removed {one.name} {one.id}")

    @staticmethod
    def _same(plug: Plug, port: dict[str, Any] | None) -> bool:
        """Whether a port is still wanted with the addresses that it was plugged with."""
        if port is None:
            return False
        return {ip["ip_address"] for ip in port["fixed_ips"]} == {text.partition("/")[0] for text in plug.addresses}

    def _follow(self, one: Server) -> None:
        """Stop and start with Nova: a stopped server has no processes and no link, but keeps its files."""
        running = one.id not in self.stopped
        if running == one.running:
            return
        if running and ((known := self._server(one.id)) is None or known.status != "ACTIVE"):
            return  # it is being built or taken away, or failed
        if not running:
            server.halt(one)
        for plug in one.ports.values():
            self._script(f"ip -n {one.namespace} link set {plug.interface} {'up' if running else 'down'}")
        one = one.model_copy(update={"running": running})
        one.save(self.cloud)
        if running:
            self._script("\n".join(_routes(one, self._gateway(one))))
            server.boot(one, self.here.pid, self.cloud)
        log(f"{'started' if running else 'stopped'} {one.name} {one.id}")

    def _gateway(self, one: Server) -> str | None:
        port = self.connection.network.get_port(next(iter(one.ports)))
        subnets = self._network(port.network_id)[1]
        return next(filter(None, (subnets[ip["subnet_id"]][1] for ip in port.fixed_ips)), None)

    def _answer(self, one: Server) -> None:
        folder = one.folder(self.cloud)
        own = folder / "answer"
        ports = frozenset(int(word) for word in own.read_text().split()) if own.exists() else self.here.answer_ports
        handle = f"/proc/{self.here.pid}/root/run/netns/{one.namespace}"
        busy = self.answerer.set(one.namespace, handle, one.name, frozenset(ports) if one.running else frozenset())
        if not (folder / "answering").exists():
            write_private(folder / "answering", " ".join(map(str, busy)))

    def _script(self, text: str) -> None:
        namespaces.script(self.here.pid, text, {"PATH": ovn.ensure().path(), "OVS_RUNDIR": RUN})


def _free(one: Server) -> int:
    used = {plug.interface for plug in one.ports.values()}
    return next(index for index in range(len(used) + 1) if f"eth{index}" not in used)


def _plugging(one: Server, port: dict[str, Any], plug: Plug, mtu: int, gateway: str | None) -> str:
    """Return the script that hangs one port: namespace, veth, Open vSwitch port bound by its id, addresses."""
    space, mac = one.namespace, port["mac_address"]
    identity = (
        f"external_ids:iface-id={port['id']} external_ids:attached-mac={mac} "
        f"external_ids:vm-uuid={one.id} external_ids:iface-status=active"
    )
    lines = [
        f"if [ ! -e /run/netns/{space} ]; then ip netns add {space}; ip -n {space} link set lo up",
        f"ip netns exec {space} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.ip_unprivileged_port_start=0; fi",
        f"ip link del {plug.tap} 2>/dev/null || true",
        f"ip link add {plug.tap} mtu {mtu} type veth peer name {plug.interface} mtu {mtu} address {mac} netns {space}",
        f"ip link set {plug.tap} up gso_max_segs 1",
        f"ovs-vsctl -- --may-exist add-port br-int {plug.tap} -- set Interface {plug.tap} mtu_request={mtu} {identity}",
        f"ip -n {space} link set {plug.interface} up gso_max_segs 1",
        *(f"ip -n {space} addr add {address} dev {plug.interface}" for address in plug.addresses),
    ]
    return "\n".join([*lines, *_routes(one, gateway)])


def _routes(one: Server, gateway: str | None) -> list[str]:
    """Return the default route, and what a booting machine would send: it refreshes old neighbours' entries."""
    if gateway is None:
        return []
    return [
        f"ip -n {one.namespace} route replace default via {gateway}",
        f"(ip netns exec {one.namespace} ping -c4 -i1 -W1 {gateway} >/dev/null 2>&1 &)",
    ]


def main() -> int:
    """Run until the node ends; a round that fails is told once and tried again."""
    cloud, here = bed(), node()
    if here is None:
        print("no node is attached: call lab.openstack.node.attach_node first", file=sys.stderr)
        return 1
    plugger = Plugger(cloud, here)
    plugger.begin()
    write_private(cloud.folder / "plugger.ready", "")
    log("ready")
    watcher = Watcher(cloud)
    watcher.start()
    said, due = "", 0.0
    while here.alive:
        try:
            if time.monotonic() >= due:
                due = time.monotonic() + EVERY
                plugger.round()
            plugger.answer()
            said = ""
        except (SDKException, ClientException, LabError, OSError) as error:
            if (line := f"waiting: {error!r:.300}") != said:
                log(said := line)
            time.sleep(1)
        if watcher.wait(TICK):
            due = 0.0
    watcher.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
