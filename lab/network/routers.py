"""Routers and firewalls: FRR's daemons, VRF namespaces, overlay and filters, started from exported texts."""

from __future__ import annotations

from collections.abc import Mapping

from lab.network.node import script, write
from orchestrator.errors import LabError

FRR, LINKS, FILTER = "frr.conf", "links.batch", "nftables.conf"
_DAEMONS = ("zebra", "staticd", "bgpd")

_LINKS = """
ip -batch /etc/onefold/links.batch
for vrf in $(ls /run/netns); do
  ip -n $vrf link set lo up
  ip netns exec $vrf onefold-forwarding 1
  for port in $(ip -n $vrf -o link show | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do ip -n $vrf link set $port up; done
done
"""


def daemons(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of FRR's daemons a device with these texts runs."""
    return _DAEMONS if FRR in texts else ()


def start(device: str, texts: Mapping[str, str]) -> None:
    """Start a device from its texts: ports into VRFs first, then the filter, then routing.

    Raises LabError with what iproute2, nft or vtysh said, or when FRR did not take a line.
    """
    if texts.get(LINKS, "").strip():
        write(device, "/etc/onefold/links.batch", texts[LINKS])
        script(device, _LINKS)
    if FILTER in texts:
        write(device, "/etc/nftables.conf", texts[FILTER], 0o600)
        script(device, "nft -f /etc/nftables.conf")
    if FRR in texts:
        _frr(device, texts)


def _frr(device: str, texts: Mapping[str, str]) -> None:
    write(device, "/etc/frr/frr.conf", texts[FRR], 0o640, "frr")
    write(device, "/etc/frr/vtysh.conf", "service integrated-vtysh-config\n", 0o640, "frr")
    # zebra -n: a VRF is a network namespace. Logs go by option, so that they never show in the running configuration
    lines = [f"/usr/lib/frr/{name} -d {'-n' if name == 'zebra' else ''} -A 127.0.0.1 --log file:/var/log/frr/{name}.log"
             for name in daemons(texts)]  # fmt: skip
    said = script(device, "\n".join([*lines, "vtysh -b 2>&1"]))
    refused = [line for line in said.splitlines() if line.startswith(("%", "line ")) or "Unknown command" in line]
    if refused:
        raise LabError(f"FRR on {device} refused: {refused[0][:200]}: correct {device}/{FRR}")
