"""The ways of registered flows in the engine's numbers: where they start, and which answers they hang on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.flow_verdicts import FlowRows
from orchestrator.forwarding.engine.network import NONE, OperationKind, Packet
from orchestrator.forwarding.engine.policy import Flow
from orchestrator.forwarding.engine.services import Services
from orchestrator.forwarding.engine.trail import answer_to
from orchestrator.proof.reachable_senders import Senders

_Int = NDArray[np.int32]


class _Way(NamedTuple):
    """One direction of a flow: who sends it, at which attachments, and to which label."""

    zone: int
    attachments: tuple[int, ...]
    destination: int


def flow_rows(engine: Engine, senders: Senders, flows: Sequence[Flow]) -> FlowRows:
    """Flows as the native part reads them; `atom` is still to be filled (`atoms`)."""
    base, attachments, labels = engine.base, engine.attachments, engine.labels
    there = {
        place: row for row, place in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True))
    }
    ends = np.array(
        [[labels.boundary(packet.family, at) for at in packet[1:3]] for _zone, packet in flows], np.int64
    ).reshape(-1, 2)

    def way(zone: int, packet: Packet, destination: int) -> _Way:
        ports = senders.ports(zone, packet.family, packet.source)
        return _Way(zone, tuple(there[zone, port] for port in ports if (zone, port) in there), destination)

    ways: list[list[_Way]] = []
    for (home, packet), (here, away) in zip(flows, ends.tolist(), strict=True):
        answer = answer_to(packet)
        zones = senders.zones(packet.family, packet.destination)
        back = [way(zone, answer, here) for zone in zones] if answer is not None else []
        ways.append([way(home, packet, away), *back])
    every = [one for found in ways for one in found]
    return FlowRows(
        np.ascontiguousarray(ends[:, 0]),
        np.ascontiguousarray(ends[:, 1]),
        np.zeros((len(flows), 2), np.int32),
        _first([len(found) for found in ways]),
        np.array([one.zone for one in every], np.int32),
        _first([len(one.attachments) for one in every]),
        np.array([row for one in every for row in one.attachments], np.int32),
        *_places(ways, len(attachments.zone)),
        np.ascontiguousarray(base.ports.device[attachments.port], np.int32),
        _devices_of_zones(engine),
        *_devices_of_filters(engine),
        np.ascontiguousarray(base.filters.stateful, np.uint8),
    )


def _places(ways: Sequence[Sequence[_Way]], attachments: int) -> tuple[_Int, NDArray[np.int64], _Int]:
    """By attachment: the labels whose answers flows hang on, ascending, and the flows."""
    rows = sorted(
        {(row, one.destination, flow) for flow, found in enumerate(ways) for one in found for row in one.attachments}
    )
    attachment, label, flow = np.array(rows, np.int64).reshape(-1, 3).T
    return (
        _first(np.bincount(attachment, minlength=attachments)),
        np.ascontiguousarray(label),
        np.ascontiguousarray(flow, np.int32),
    )


def _first(counts: Iterable[int]) -> _Int:
    """Where each of some runs begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.fromiter(counts, np.int64))]).astype(np.int32)


def _devices_of_filters(engine: Engine) -> tuple[_Int, _Int]:
    """By filter: the devices at whose ports packets meet it."""
    ports, found = engine.base.ports, []
    for first, kind, index in (
        (ports.ingress_first, ports.ingress_kind, ports.ingress_index),
        (ports.egress_first, ports.egress_kind, ports.egress_index),
    ):
        owner = np.repeat(np.arange(len(ports.table)), np.diff(first))
        chosen = kind == OperationKind.FILTER
        found.append(np.stack([index[chosen], ports.device[owner[chosen]]], axis=1))
    number, device = np.unique(np.concatenate(found), axis=0).T
    filters = len(engine.base.filters.default)
    return _first(np.bincount(number, minlength=filters)), np.ascontiguousarray(device, np.int32)


def _devices_of_zones(engine: Engine) -> _Int:
    """By zone: the device at which all its attachments are, or NONE."""
    zones, base = engine.attachments.zone, engine.base
    device = base.ports.device[engine.attachments.port]
    low = np.full(len(base.zone_names), np.iinfo(np.int64).max)
    high = np.full(len(base.zone_names), np.iinfo(np.int64).min)
    np.minimum.at(low, zones, device)
    np.maximum.at(high, zones, device)
    return np.where(low == high, low, NONE).astype(np.int32)


def atoms(services: Services, flows: Sequence[Flow]) -> _Int:
    """[flows, 2]: the services that a flow's packet, and its answer, belong to; NONE without an answer."""
    known: dict[tuple[int, int, int, bool, bool], int] = {}

    def atom(packet: Packet | None) -> int:
        if packet is None:
            return NONE
        key = packet[3:]
        if key not in known:
            known[key] = services.atom(packet)
        return known[key]

    rows = [(atom(packet), atom(answer_to(packet))) for _zone, packet in flows]
    return np.array(rows, np.int32).reshape(-1, 2)
