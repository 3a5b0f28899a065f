"""What real packets should do: one answer per (source, destination address, port), to be held against the lab."""

from collections.abc import Iterable

from orchestrator.forwarding.points import Point, destinations
from orchestrator.forwarding.simulator import Simulator, fits
from orchestrator.forwarding.walk import Header
from orchestrator.forwarding.world import UnparsedLine, text_of
from orchestrator.model.estate import Estate

Prediction = dict[tuple[str, str, int], bool | None]


def predict(
    estate: Estate, points: Iterable[Point], ports: Iterable[int], unparsed: Iterable[UnparsedLine] = ()
) -> Prediction:
    """Whether a TCP connection from each point to each address and port is answered by a host or server.

    Keys are (source node, destination address, port); addresses are those of the points and what destination and
    prefix translations make of them. None is unknown.
    """
    simulator = Simulator(estate, unparsed)
    every = list(points)
    addresses = destinations(estate, [int(point.address) for point in every])
    wanted = list(ports)
    found: Prediction = {}
    for point in every:
        for address in addresses:
            if address != int(point.address):
                found.update(_answers(simulator, point, address, wanted))
    return found


def _answers(simulator: Simulator, point: Point, address: int, ports: list[int]) -> Prediction:
    found: Prediction = {}
    known: bool | None = None
    sensitive = True
    for port in ports:
        if sensitive:
            known, sensitive = _answered(simulator, point, address, port)
        found[(point.node, text_of(address), port)] = known
    return found


def _answered(simulator: Simulator, point: Point, address: int, port: int) -> tuple[bool | None, bool]:
    header = Header(int(point.address), address, "tcp", 40000, port)
    way = simulator.way(point.node, header)
    if way.outcome != "delivered":
        return (None if way.outcome == "unknown" else False), way.sensitive
    if simulator.ask("endpoint", way.end) is None:
        return False, way.sensitive  # a router answers no connection on these ports
    return fits(point.node, header, simulator.answer(way)), True
