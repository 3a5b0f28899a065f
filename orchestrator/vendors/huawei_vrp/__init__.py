"""Huawei VRP: configuration text, its command grammar, and the lines between two configurations."""

from collections.abc import Mapping

from orchestrator.model.estate import Estate
from orchestrator.vendors.huawei_vrp import current, read
from orchestrator.vendors.parsed import Parsed

PLATFORM = "huawei_vrp"
FILES = (current.FILE,)
TABLES = ("vlans", "vrfs", "interfaces", "routes")


def render(estate: Estate, device: str) -> dict[str, str]:
    """The configuration of a device, the part the model knows. Raises RenderError for rows VRP cannot hold."""
    return {current.FILE: current.write(current.configuration_of(estate, device))}


def parse(device: str, texts: Mapping[str, str]) -> Parsed:
    """The VLANs, VPN instances, addressed interfaces and static routes of what `display current-configuration` shows.

    Zones are not in configuration and stay empty.
    """
    return read.parse(device, texts.get(current.FILE, ""))


def cut_off(_: str, text: str) -> str:
    """A configuration that VRP has shown ends with `return`."""
    return "" if text.rstrip().rpartition("\n")[2].strip() == "return" else "return"


def carry(present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted text with the present one's inert sections kept.

    Without them a push would undo the box's own users and remote access, and lock everybody out.
    """
    return {**wanted, current.FILE: current.carry(present.get(current.FILE, ""), wanted[current.FILE])}
