"""The ordered VRP lines that turn one configuration text into another.

What others refer to (VLANs, ACLs, VPN instances, policies) is created before its users and removed after them.
Every line is tried on the settings as it is written, so that what the box clears by itself (the addresses of an
interface that changes its VPN instance) is written again, and a text that cannot be reached is an error here and
not on the device.
"""

import copy

from orchestrator.errors import DeviceError
from orchestrator.vendors.huawei_vrp.display import is_vlan, rank
from orchestrator.vendors.huawei_vrp.effects import addresses
from orchestrator.vendors.huawei_vrp.grammar import Match, match
from orchestrator.vendors.huawei_vrp.settings import (
    Path,
    Settings,
    below,
    comparable,
    execute,
    holder,
    load,
    standing,
    view_of,
)
from orchestrator.vendors.huawei_vrp.tree import redact
from orchestrator.vendors.huawei_vrp.words import vlan_ranges

_DEFINERS = ("vlan ", "acl ", "ip vpn-instance ", "ip ip-prefix ", "route-policy ")
_FIRST = ("ip binding ", "route-distinguisher ", "sysname ")
_RANGES_PER_LINE = 10  # `vlan batch { vlan-id1 [ to vlan-id2 ] } &<1-10>`


class DifferenceError(DeviceError):
    """No lines lead from one configuration to the other; the message names a line that stays different."""


def difference(have: str, want: str) -> tuple[str, ...]:
    """The lines, typed at the system view and ending there, that turn `have` into `want` (order aside).

    Lines outside the grammar are written, or removed by ``undo`` and the whole line. Raises LineRefusedError when the
    wanted text asks for what the box refuses, DifferenceError when it cannot be reached.
    """
    writer = _Writer(load(have), load(want))
    for _ in range(3):
        if writer.done():
            return tuple(writer.lines)
        writer.round()
    if writer.done():
        return tuple(writer.lines)
    raise DifferenceError(f"{writer.left()}: no command leads to the wanted configuration: change it by hand")


class _Writer:
    """Writes lines and keeps the settings a box would have after them."""

    def __init__(self, have: Settings, want: Settings) -> None:
        self.now, self.want = copy.deepcopy(have), want
        self.lines: list[str] = []
        self.path: Path = ()

    def done(self) -> bool:
        return comparable(self.now) == comparable(self.want)

    def left(self) -> str:
        now, want = comparable(self.now), comparable(self.want)
        lines = [line for line in now.keys() | want.keys() if now.get(line) != want.get(line)]
        return redact(min(lines))

    def round(self) -> None:
        self._add(definers=True)
        self._remove(definers=False)
        self._bind()
        self._add(definers=False)
        self._remove(definers=True)
        self._go(())

    # Writing -----------------------------------------------------------------------------------------------

    def _go(self, path: Path) -> None:
        """Write the lines that lead from the view reached last to another one."""
        shared = 0
        while shared < min(len(path), len(self.path)) and path[shared] == self.path[shared]:
            shared += 1
        self.lines += ["quit"] * (len(self.path) - shared)
        self.path = self.path[:shared]
        for opener in path[shared:]:
            self._write(opener)

    def _write(self, line: str) -> None:
        view = view_of(self.path)
        known = isinstance(match(view, line.removeprefix("undo ")), Match) or isinstance(match(view, line), Match)
        self.lines.append(line)
        if known or line.startswith("undo "):
            self.path = execute(self.now, self.path, line)
        else:
            below(self.now, self.path).setdefault(line, {})
            if below(self.want, (*self.path, line)):
                self.path = (*self.path, line)

    def _drop(self, path: Path, line: str) -> None:
        """Write the line that removes a setting, unless an earlier removal took it along."""
        if line not in below(self.now, path):
            return
        found = match(view_of(path), line)
        if isinstance(found, Match) and standing(found):
            for child in list(below(self.now, (*path, line))):
                self._drop((*path, line), child)
            return
        if line.startswith("ip address ") and not line.endswith(" sub"):
            for held in [held for held in below(self.now, path) if held.endswith(" sub")]:
                self._drop(path, held)
        self._go(path)
        if not isinstance(found, Match):
            self.lines.append(f"undo {line}")
            below(self.now, path).pop(line)
        elif line.startswith("undo "):
            self._write(line.removeprefix("undo "))
        else:
            self._write(f"undo {found.undo}")

    # Adding ------------------------------------------------------------------------------------------------

    def _add(self, *, definers: bool) -> None:
        if definers:
            self._vlans(self.want, self.now, "vlan batch")
        for line in sorted(self.want, key=rank):
            if line.startswith(_DEFINERS) == definers:
                self._settle((), line)

    def _vlans(self, these: Settings, those: Settings, command: str) -> None:
        """Write the VLANs that are in one configuration and not in the other, some ranges per line."""
        numbers = [int(line.split()[1]) for line in these if is_vlan(line) and line not in those]
        words = vlan_ranges(numbers).replace(" to ", "-").split()
        for start in range(0, len(words), _RANGES_PER_LINE):
            self._go(())
            self._write(f"{command} {' '.join(words[start : start + _RANGES_PER_LINE]).replace('-', ' to ')}")

    def _settle(self, path: Path, line: str) -> None:
        """Bring one wanted line and everything below it about."""
        children = below(self.want, (*path, line))
        found = match(view_of(path), line)
        if line not in below(self.now, path):
            if isinstance(found, Match) and standing(found) and not children:
                return
            self._give_way(path, found)
            self._go(path)
            self._write(line)
        if line.startswith("ip vpn-instance "):
            self._renew_families(line)
        for child in sorted(children, key=lambda child: _turn(view_of((*path, line)), child)):
            self._settle((*path, line), child)

    def _give_way(self, path: Path, found: object) -> None:
        """Remove what a new value does not simply replace.

        An ACL rule typed over another is merged with it on some releases; the reference asks to delete it first.
        """
        if isinstance(found, Match) and (found.words[0] == "rule" or not found.command.overwrites):
            old = holder(below(self.now, path), view_of(path), found)
            if old is not None:
                self._drop(path, old)

    def _renew_families(self, instance: str) -> None:
        """Remove an address family whose route distinguisher changes: the box has no other way to change it."""
        for family in list(self.now[instance]):
            now, want = self.now[instance][family], self.want[instance].get(family)
            held = [line for line in now if line.startswith("route-distinguisher ")]
            if want is not None and held and held[0] not in want:
                self._drop((instance,), family)

    def _bind(self) -> None:
        """Move interfaces between VPN instances before any address is set: binding clears the addresses."""
        for line, children in self.want.items():
            if line.startswith("interface "):
                for child in children:
                    if child.startswith("ip binding "):
                        self._settle_line((line,), child)

    def _settle_line(self, path: Path, line: str) -> None:
        if path[0] not in self.now or line not in below(self.now, path):
            self._go(path)
            self._write(line)

    # Removing ----------------------------------------------------------------------------------------------

    def _remove(self, *, definers: bool) -> None:
        for line in sorted(self.now, key=rank, reverse=True):
            if line.startswith(_DEFINERS) == definers and not is_vlan(line):
                self._clear((), line)
        if definers:
            for line in [line for line in self.now if is_vlan(line) and line in self.want]:
                self._clear((), line)
            self._vlans({line: {} for line in self.now if line != "vlan 1"}, self.want, "undo vlan batch")

    def _clear(self, path: Path, line: str) -> None:
        """Remove a line that is not wanted, or what is not wanted below it."""
        if line not in below(self.now, path):
            return
        try:
            wanted = below(self.want, (*path, line))
        except KeyError:
            if not self._replaced(path, line):
                self._drop(path, line)
            return
        inside = list(below(self.now, (*path, line)))
        for child in sorted(inside, key=lambda child: (not child.endswith(" sub"), child in wanted)):
            self._clear((*path, line), child)

    def _replaced(self, path: Path, line: str) -> bool:
        """Whether a wanted line will take this one's place by itself."""
        found = match(view_of(path), line)
        if not isinstance(found, Match) or not found.command.overwrites or "|" not in found.command.template.split():
            return False
        if line.startswith("ip address ") and self._claimed(path[0], line):
            return False
        try:
            return holder(below(self.want, path), view_of(path), found) is not None
        except KeyError:
            return False

    def _claimed(self, interface: str, line: str) -> bool:
        """Whether the prefix of an address is wanted on another interface."""
        others = [children for other, children in self.want.items() if other != interface and "interface " in other]
        return any(
            held.network.overlaps(mine.network)
            for mine in addresses({line: {}})
            for children in others
            for held in addresses(children)
        )


def _turn(view: str, line: str) -> int:
    """When a line of a view is written: what others need first, secondary addresses late, inner views last."""
    found = match(view, line)
    if line.startswith(_FIRST) or " as-number " in line:
        return 0
    if line.endswith(" sub"):
        return 2
    return 3 if isinstance(found, Match) and found.command.opens else 1
