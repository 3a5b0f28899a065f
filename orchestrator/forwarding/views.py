"""Segments as routes need them: who takes a packet for which address. What says the same is the same object."""

from typing import Generic, NamedTuple, TypeVar

from orchestrator.forwarding.segments import Doubt, Neighbour, Place
from orchestrator.forwarding.shape import Station
from orchestrator.forwarding.world import World
from orchestrator.model.network import GLOBAL


class Answerer(NamedTuple):
    """Who takes a packet for one address of a segment: a station and its table; or why nobody can tell; or nobody."""

    station: Station | None = None
    table: str = ""
    doubt: Doubt | None = None


MOST_KEPT = 8
"""Variants of one thing that are kept: states of a batch come back to them."""

Key = TypeVar("Key")
Value = TypeVar("Value")

NOBODY = Answerer()


class View(NamedTuple):
    """A segment as routes need it: who takes a packet for which address."""

    answerers: dict[int, Answerer]
    silent: bool  # somebody unknown may answer for other addresses


NO_SEGMENT = View({}, silent=False)


class Same(Generic[Key, Value]):
    """Equal values as one object, so that what is the same as in any state lately is known by looking at it once."""

    def __init__(self) -> None:
        self._known: dict[Key, list[Value]] = {}

    def same(self, key: Key, value: Value) -> Value:
        """The value kept that equals this one; else this one, which is kept."""
        known = self._known.setdefault(key, [])
        for kept in known:
            if kept == value:
                return kept
        known.insert(0, value)
        del known[MOST_KEPT:]
        return value


class Views:
    """The views of one world after the other."""

    def __init__(self) -> None:
        self._known: Same[Place, View] = Same()

    def of(self, world: World) -> dict[Place, View]:
        """The view of every segment, a former one where it is equal."""
        receiving: dict[Station, str] = {}
        for interface in world.estate.interfaces.values():
            receiving.setdefault((interface.device, interface.name), interface.vrf)
        found = {}
        for segment in world.segments.directory.keys() | world.segments.silent.keys():
            directory = world.segments.directory.get(segment, {})
            answerers = {address: _answerer(world, those, address, receiving) for address, those in directory.items()}
            found[segment] = self._known.same(segment, View(answerers, segment in world.segments.silent))
        return found


def _answerer(world: World, found: list[Neighbour], address: int, receiving: dict[Station, str]) -> Answerer:
    if len(found) != 1:  # the world says why
        here = found[0]
        answer = world.neighbour(here.node, here.port, address)
        return Answerer(doubt=answer) if isinstance(answer, Doubt) else NOBODY
    (node, port) = found[0]
    if world.endpoint(node) is not None:
        return Answerer((node, port), f"{node}/hears")
    doubt = world.doubt(node)
    if doubt is not None:
        return Answerer(doubt=doubt)
    vrf = GLOBAL if node.startswith("router ") else receiving.get((node, port))
    return NOBODY if vrf is None else Answerer((node, port), f"{node}/{vrf}")
