"""Who sends with an address: found by its prefixes, one look for each length that occurs, not zone by zone."""

from __future__ import annotations

from orchestrator.forwarding.engine.network import Network
from orchestrator.proof.reachable_base import WIDTH, prefix_at

Sender = tuple[int, int]
"""(zone, port)."""


class Senders:
    """The zones' source prefixes of a network, by family, length and leading bits. No update changes them."""

    def __init__(self, network: Network) -> None:
        zones = network.zones
        self._by_length: dict[tuple[int, int], dict[int, set[Sender]]] = {}
        for row, sender in enumerate(zip(zones.zone.tolist(), zones.port.tolist(), strict=True)):
            family, address, length = prefix_at(zones.source, row)
            rest = WIDTH[family] - length
            found = self._by_length.setdefault((family, rest), {})
            found.setdefault(address >> rest, set()).add(sender)
        self._known: dict[tuple[int, int], tuple[Sender, ...]] = {}

    def of(self, family: int, address: int) -> tuple[Sender, ...]:
        """Every (zone, port) that sends with an address, ascending."""
        known = self._known.get((family, address))
        if known is None:
            found = set[Sender]()
            for (other, rest), rows in self._by_length.items():
                if other == family:
                    found |= rows.get(address >> rest, set())
            known = self._known[family, address] = tuple(sorted(found))
        return known

    def zones(self, family: int, address: int) -> list[int]:
        """The zones that send with an address, ascending."""
        return sorted({zone for zone, _port in self.of(family, address)})

    def ports(self, zone: int, family: int, address: int) -> list[int]:
        """The ports at which a zone sends with an address, ascending."""
        return [port for other, port in self.of(family, address) if other == zone]
