"""Streams of updates fit: nothing is added twice, nothing removed that is not there."""

import numpy as np
import pytest

from network_models.backbone import backbone
from network_models.province import Shape, province
from network_models.rule_sets import guarded
from network_models.update_streams import KINDS, prefix_at, stream
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    InsertEntry,
    PortDown,
    PortUp,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    Update,
)


@pytest.fixture(scope="module")
def network() -> Network:
    return guarded(province(Shape(routers=300, cities=4, zones=30)), entries=4_000, faults=6).network


class Mirror:
    """What is there, counted by hand."""

    def __init__(self, network: Network) -> None:
        self.routes = {
            (int(table), prefix_at(network.routes.prefix, row)) for row, table in enumerate(network.routes.table)
        }
        self.sizes = np.diff(network.filters.first).tolist()
        self.down: set[int] = set()

    def apply(self, update: Update) -> None:
        if isinstance(update, AddRoute | RemoveRoute | ReplaceRoute):
            self.apply_route(update)
        else:
            self.apply_other(update)

    def apply_route(self, update: AddRoute | RemoveRoute | ReplaceRoute) -> None:
        match update:
            case AddRoute(table, prefix):
                assert (table, prefix) not in self.routes
                self.routes.add((table, prefix))
            case RemoveRoute(table, prefix):
                self.routes.remove((table, prefix))
            case ReplaceRoute(table, prefix):
                assert (table, prefix) in self.routes

    def apply_other(self, update: InsertEntry | RemoveEntry | ReplaceEntry | PortDown | PortUp) -> None:
        match update:
            case InsertEntry(index, position):
                assert 0 <= position <= self.sizes[index]
                self.sizes[index] += 1
            case RemoveEntry(index, position):
                assert 0 <= position < self.sizes[index]
                self.sizes[index] -= 1
            case ReplaceEntry(index, position):
                assert 0 <= position < self.sizes[index]
            case PortDown(port):
                assert port not in self.down
                self.down.add(port)
            case PortUp(port):
                self.down.remove(port)


@pytest.mark.parametrize("kind", KINDS)
def test_each_update_fits_what_the_ones_before_have_left(network: Network, kind: str) -> None:
    mirror, updates = Mirror(network), stream(network, kind, 2_000)
    for update in updates:
        mirror.apply(update)
    assert len(updates) == 2_000
    assert updates == stream(network, kind, 2_000)
    assert updates != stream(network, kind, 2_000, seed=8)


def test_every_kind_of_update_occurs_among_the_mixed(network: Network) -> None:
    kinds = {type(update) for update in stream(network, "mixed", 500)}
    assert kinds == {AddRoute, RemoveRoute, ReplaceRoute, InsertEntry, RemoveEntry, ReplaceEntry, PortDown, PortUp}


def test_adversarial_updates_change_default_routes(network: Network) -> None:
    updates = stream(network, "adversarial", 200)
    defaults = [one for one in updates if isinstance(one, ReplaceRoute | RemoveRoute) and one.prefix.length == 0]
    assert len(defaults) > 20


def test_what_a_network_has_nothing_for_is_refused() -> None:
    with pytest.raises(InputError, match=r"^updates of kind entries: take one of routes, entries, ports, mixed, "):
        stream(backbone(4, 100), "entries", 1)
