"""A set of packets in the words of another engine: services are cut anew wherever an engine is built anew."""

from __future__ import annotations

import numpy as np

from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.packets import PacketSet, Piece, Row, joined
from orchestrator.forwarding.engine.services import ServiceBox, Services

_EVERY_PORT = (0, 65535)


def restated(packets: PacketSet, table: FilterTable) -> PacketSet:
    """The same packets in the services of a table, which tells them apart from then on."""
    if table.services.refines(packets.services):
        return packets.lifted(table.services)
    boxes = {bits: packets.services.boxes(bits) for _low, _high, row in packets.pieces for _from, _to, bits in row}
    keys = [_key(box, answers) for found in boxes.values() for box in found for answers in (0, 1)]
    services = table.tell_apart(np.array(sorted(set(keys)), np.int32).reshape(-1, 9))
    number = {tuple(key): at for at, key in enumerate(services.keys.tolist())}
    meant = {bits: _bits(found, services, number) for bits, found in boxes.items()}

    def row(of: Row) -> Row:
        return joined((low, high, meant[bits]) for low, high, bits in of)

    pieces: list[Piece] = [(low, high, row(of)) for low, high, of in packets.pieces]
    return PacketSet(services, joined(pieces))


def _key(box: ServiceBox, answers: int) -> tuple[int, ...]:
    """A row of `service_keys`: packets of a box, all of them or answers only."""
    ports = (*_EVERY_PORT, *_EVERY_PORT) if box.fragment else (*box.source_port, *box.destination_port)
    return *box.protocol, *ports, int(not box.fragment), int(box.fragment), answers


def _bits(boxes: tuple[ServiceBox, ...], services: Services, number: dict[tuple[int, ...], int]) -> int:
    found = 0
    for box in boxes:
        every, answers = (services.bits(number[_key(box, which)]) for which in (0, 1))
        found |= answers if box.established else every if box.established is None else every & ~answers
    return found
