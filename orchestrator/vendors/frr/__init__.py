"""FRRouting 8.4: `frr.conf` as `show running-config` prints it, `links.batch` for what FRR cannot hold.

FRR has no command for the namespaces, the VXLAN and the ports of a VRF: `links.batch` holds them as `ip -batch` text.
"""

from collections.abc import Mapping

from orchestrator.model.estate import Estate
from orchestrator.vendors.frr import links, read, running
from orchestrator.vendors.frr.configuration import configuration_of
from orchestrator.vendors.parsed import Parsed

PLATFORM = "frr"
FILES = (running.FILE, links.FILE)
TABLES = ("vrfs", "interfaces", "routes")


def render(estate: Estate, device: str) -> dict[str, str]:
    """Both files of a device. Raises RenderError when its rows contradict each other."""
    configuration = configuration_of(estate, device)
    return {running.FILE: running.write(configuration), links.FILE: links.write(configuration)}


def parse(device: str, texts: Mapping[str, str]) -> Parsed:
    """The VRFs, interfaces and static routes of these texts; zones are not in configuration and stay empty.

    An absent file is not read and not missed; without `links.batch` a VRF has no overlay.
    """
    return read.parse(device, texts)


def cut_off(file: str, text: str) -> str:
    """A configuration that FRR has shown ends with `end`; `links.batch` has no end of its own."""
    if file != running.FILE or text.rstrip().rpartition("\n")[2].strip() == "end":
        return ""
    return "end"


def carry(present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted texts with the present ones' own lines kept: logging and banners are the operator's."""
    return {**wanted, running.FILE: running.carry(present.get(running.FILE, ""), wanted[running.FILE])}
