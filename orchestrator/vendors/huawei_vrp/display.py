"""Settings written as `display current-configuration` writes them."""

from collections.abc import Iterable

from orchestrator.vendors.huawei_vrp.effects import Settings
from orchestrator.vendors.huawei_vrp.words import vlan_numbers, vlan_ranges

_ORDER = (
    "sysname", "router id", "vlan", "stp", "lldp", "clock", "dns", "ip vpn-instance", "mpls", "acl", "aaa",
    "ip ip-prefix", "route-policy", "interface", "bgp", "ospf", "ip route-static", "snmp-agent", "stelnet", "ssh",
    "ntp-service", "info-center", "user-interface",
)  # fmt: skip


def show(settings: Settings) -> str:
    """Write settings as `display current-configuration` does: sections parted by ``#``, ``return`` at the end."""
    lines = ["#"]
    numbers = [int(line.split()[1]) for line in settings if is_vlan(line)]
    previous = ""
    for line in sorted(settings, key=rank):
        if is_vlan(line) and not settings[line]:
            if numbers:
                lines += [f"vlan batch {vlan_ranges(numbers)}", "#"]
            numbers = []
            continue
        if numbers and rank(line) >= rank("vlan 1"):
            lines += [f"vlan batch {vlan_ranges(numbers)}", "#"]
            numbers = []
        if previous and previous == line.split()[0] and not settings[line] and lines[-1] == "#":
            lines.pop()
        lines += [*_shown(settings, line, ""), "#"]
        previous = line.split()[0] if not settings[line] else ""
    if numbers:
        lines += [f"vlan batch {vlan_ranges(numbers)}", "#"]
    return "\n".join([*lines, "return", ""])


def is_vlan(line: str) -> bool:
    """Whether a top-level line is one VLAN."""
    words = line.split()
    return len(words) == 2 and words[0] == "vlan" and vlan_numbers((words[1],)) is not None


def rank(line: str) -> int:
    """Where a top-level line stands in a shown configuration."""
    return next((rank for rank, head in enumerate(_ORDER) if line.startswith(head)), len(_ORDER))


def _shown(settings: Settings, line: str, indent: str) -> list[str]:
    lines = [indent + line]
    children = settings[line]
    for child in _joined(children):
        if children.get(child):
            lines += [indent + " #"] if line.startswith("bgp ") else []
            lines += _shown(children, child, indent + " ")
        else:
            lines.append(f"{indent} {child}")
    return lines


def _joined(children: Settings) -> Iterable[str]:
    """The lines of a view with list members joined and ACL rules in the order of their numbers."""
    lists: dict[tuple[str, str], list[str]] = {}
    plain: list[str] = []
    for line in children:
        words = line.split()
        if words[0] == "vpn-target":
            lists.setdefault(("vpn-target", words[-1]), []).append(words[1])
        elif words[:2] in (["port", "trunk"], ["port", "hybrid"]) and words[-2] == "vlan" and words[2] != "pvid":
            lists.setdefault((" ".join(words[:-1]), ""), []).append(words[-1])
        else:
            plain.append(line)
    joined = [
        f"{head} {' '.join(held) if head == 'vpn-target' else vlan_ranges([int(word) for word in held])} {tail}".strip()
        for (head, tail), held in lists.items()
    ]
    first = [line for line in plain if not children[line]]
    first.sort(key=lambda line: int(line.split()[1]) if line.startswith("rule ") else -1)
    return [*first, *joined, *(line for line in plain if children[line])]
