"""Break the engine on purpose, in one way each: the laws' own check must notice, and must not without the break.

Native parts are compiled once more with one piece of text replaced; Python parts are patched where they are used.
"""

from __future__ import annotations

import atexit
import gc
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from hatch_build import FLAGS, NATIVE, ROOT, compile_library, compiler
from orchestrator.forwarding.engine import filter_table, native
from orchestrator.forwarding.engine import state as engine_state
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, Action, Matches, Network
from orchestrator.forwarding.engine.plain import Moment, Plain
from orchestrator.forwarding.engine.service_keys import Keys, service_keys
from orchestrator.forwarding.engine.tables import Compiled, compile_network
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.test_findings import (
    test_a_filter_in_a_loop_ends_what_it_denies_wherever_it_began as filtered_loop,
)
from tests.forwarding.engine.test_laws import Prepare, as_large, deviations, of_sequence, with_hubs
from tests.forwarding.engine.test_plain import (
    test_a_tunnel_to_another_device_ends_one_memory_and_begins_the_next as tunnel_and_back,
)
from tests.forwarding.engine.test_plain import (
    test_port_forwarding_reaches_the_server_and_its_answer_is_translated_back as forwarding_and_back,
)
from tests.forwarding.engine.test_plain import (
    test_source_translation_to_one_host_opens_the_source_port_and_the_answer_comes_back as source_and_back,
)

NETWORKS = 250
QUICKLY = ("-O1", "-Wno-error")
"""To the compiler: what is broken need not be fast."""
Column = NDArray[np.int32]

# what is broken -> (source file, text, other text), and the features that the networks need for it to matter
NATIVE_BREAKS: dict[str, tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]]] = {
    "a deny is ignored": (
        (
            (
                "filters_cells.c",
                "int32_t action = v->action[e];",
                "int32_t action = v->action[e];\n            if (action == ACTION_DENY) continue;",
            ),
        ),
        ("filters",),
    ),
    "what is unknown is taken as denied": (
        (("filters_cells.c", "action == ACTION_UNKNOWN ? unknown : NULL", "NULL"),),
        ("filters", "odd"),
    ),
    "a route leaked between VRFs is skipped": (
        (
            ("ports.c", "return walk_place(e, target, context, state, label, low);", "return DROP;"),
            ("steps.c", "if (kind == 1) fast.next = target;", "if (kind == 1) fast.node = DROP;"),
        ),
        ("leaks",),
    ),
    "the shortest prefix decides": (
        (
            (
                "tables_build.c",
                "        put(b, route->low, open, route->group);",
                "        if (route->parent < 0) put(b, route->low, open, route->group);",
            ),
        ),
        (),
    ),
    "only the first of equal-cost paths is followed": (
        (
            (
                "walk.c",
                "hop < e->group_first.at[group + 1] && !e->error",
                "hop < e->group_first.at[group] + 1 && !e->error",
            ),
            (
                "steps.c",
                "int32_t end = e->group_first.at[group + 1], last",
                "int32_t end = e->group_first.at[group] + 1, last",
            ),
        ),
        ("ecmp",),
    ),
    "half an answer out of a loop is remembered": (
        (("walk.c", "round < count && changes", "round < 1 && changes"),),
        ("ecmp", "gates"),
    ),
    "a port that is down carries on": (
        (
            ("ports.c", "e->up[target] ? walk_out(", "1 ? walk_out("),
            ("steps.c", "(kind == 0 && !e->up[target])", "0"),
            ("steps.c", "kind == 0 && e->up[target]", "kind == 0"),
        ),
        ("down",),
    ),
    "a filter at the far end of a way without branches is skipped": (
        (("steps.c", "if (fast->in >= 0) node", "if (0) node"),),
        ("filters",),
    ),
    "a filter at the near end of a way without branches is skipped": (
        (("steps.c", "if (fast->out >= 0) node", "if (0) node"),),
        ("filters",),
    ),
    "whoever enters a table shares one answer, whatever stands before it": (
        (("sharing.c", "!= size) return false;\n", "!= size) return true;\n    size = 0;\n"),),
        ("filters",),
    ),
}


@cache
def _sound_parts() -> dict[str, Path]:
    """Source file -> what the compiler makes of it unbroken; the same for all breaks."""
    folder = Path(tempfile.mkdtemp(prefix="onefold-sound-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sources = sorted((ROOT / NATIVE).glob("*.c"))
    subprocess.run([*compiler(), *FLAGS, *QUICKLY, "-c", *map(str, sources)], cwd=folder, check=True)
    return {path.name: folder / f"{path.stem}.o" for path in sources}


@contextmanager
def broken_library(folder: Path, breaks: tuple[tuple[str, str, str], ...]) -> Iterator[None]:
    """The native part with pieces of its text replaced, for as long as the context lasts."""
    sources = {path.name: path.read_text() for path in sorted((ROOT / NATIVE).glob("*.[ch]"))}
    for name, text, other in breaks:
        assert text in sources[name], f"{name} has no {text!r} any more: give the mutation another place"
        sources[name] = sources[name].replace(text, other)
    for name, source in sources.items():
        (folder / name).write_text(source)
    changed = {name for name, _text, _other in breaks}
    assert all(name.endswith(".c") for name in changed), "a header is part of every source: break a source"
    parts = [folder / name if name in changed else part for name, part in _sound_parts().items()]
    target = folder / "broken.so"
    compile_library(parts, target, QUICKLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.OTHER_LIBRARY, str(target))
        native.library.cache_clear()
        yield
        gc.collect()  # engines of the broken library end before it goes
    native.library.cache_clear()


def noticed(features: tuple[str, ...], count: int = NETWORKS) -> int | None:
    """The first random network about which the engine and the plain walker disagree, None when they never do."""
    for seed in range(count):
        random = Random(seed)
        network = random_network(random, features)
        if any(True for _deviation in deviations(Engine(network), network, random, 20)):
            return seed
    return None


@pytest.mark.parametrize("name", NATIVE_BREAKS)
def test_a_broken_native_part_is_noticed(name: str, tmp_path: Path) -> None:
    breaks, features = NATIVE_BREAKS[name]
    with broken_library(tmp_path, breaks):
        seed = noticed(features)
    assert seed is not None, f"{name}: nobody noticed"
    assert noticed(features, seed + 1) is None


def test_a_loop_through_filters_taken_for_one_without_is_noticed(tmp_path: Path) -> None:
    """What differs is only where packets that go round are said to end: findings tell."""
    with (
        broken_library(
            tmp_path, (("steps.c", "*apart = chain->first || chain->filtered;", "*apart = chain->first > 0;"),)
        ),
        pytest.raises(AssertionError),
    ):
        filtered_loop()
    filtered_loop()


def _established_without_state(match: Matches, action: Column | None = None, stateful: object = None) -> Keys:
    """A stateful filter believes the flag of a packet."""
    return service_keys(match, action, None if stateful is None else np.zeros(match.established.size, np.bool_))


def _established_of_any_protocol(
    match: Matches, action: Column | None = None, stateful: NDArray[np.bool_] | None = None
) -> Keys:
    """Answers of UDP and ICMP have the flag, too."""
    keys = service_keys(match._replace(established=np.full_like(match.established, NONE)), action, stateful)
    flag = match.established == 1
    keys[:, 8] = flag * 2
    if stateful is not None:
        keys[flag & stateful] = 0
    return keys


def _fragments_have_flags(
    match: Matches, action: Column | None = None, stateful: NDArray[np.bool_] | None = None
) -> Keys:
    """Entries for answers tell later fragments of answers from others."""
    keys = service_keys(match, action, stateful)
    keys[keys[:, 8] == 2, 8] = 1
    return keys


def _fragments_ignored(match: Matches, action: Column | None = None, stateful: NDArray[np.bool_] | None = None) -> Keys:
    """Entries for later fragments are taken as entries for all packets."""
    return service_keys(match._replace(fragment=np.full_like(match.fragment, NONE)), action, stateful)


def _fragments_have_ports(
    match: Matches, action: Column | None = None, stateful: NDArray[np.bool_] | None = None
) -> Keys:
    """Entries with ports never meet later fragments, not even when they permit."""
    return service_keys(match, None if action is None else np.full_like(action, Action.DENY), stateful)


def _short_range(match: Matches, action: Column | None = None, stateful: NDArray[np.bool_] | None = None) -> Keys:
    """The last port of a range does not belong to it."""
    low, high = match.destination_port_low, match.destination_port_high
    return service_keys(match._replace(destination_port_high=np.maximum(low, high - (low < high))), action, stateful)


@pytest.mark.parametrize(
    "broken",
    [
        _established_without_state,
        _established_of_any_protocol,
        _fragments_ignored,
        _fragments_have_ports,
        _fragments_have_flags,
        _short_range,
    ],
)
def test_a_service_misread_is_noticed(broken: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_table, "service_keys", broken)
    seed = noticed(("filters",))
    assert seed is not None
    monkeypatch.undo()
    assert noticed(("filters",), seed + 1) is None


def _gates_open(network: Network) -> Compiled:
    """A one-way gate has a peer on both sides."""
    peer = network.ports.peer.copy()
    for port, other in enumerate(network.ports.peer.tolist()):
        if other != NONE and peer[other] == NONE:
            peer[other] = port
    return compile_network(replace(network, ports=network.ports._replace(peer=peer)))


def _translations_forgotten(network: Network) -> Compiled:
    """No port translates."""
    nothing = np.zeros_like(network.translations.first)
    return compile_network(replace(network, translations=network.translations._replace(first=nothing)))


@pytest.mark.parametrize(
    ("broken", "features"), [(_gates_open, ("gates",)), (_translations_forgotten, ("translations",))]
)
def test_a_misread_network_is_noticed(
    broken: Callable[[Network], Compiled], features: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_state, "compile_network", broken)
    seed = noticed(features)
    assert seed is not None
    monkeypatch.undo()
    assert noticed(features, seed + 1) is None


# what is broken about changes -> source file, text, other text
CHANGE_BREAKS = {
    "a changed answer is not written down": ("answers.c", "if (differs && list_set(", "if (0 && list_set("),
    "what is taken back keeps its answers": (
        "core.c",
        "list_set(&e->arena, &e->attachment[r->attachment], r->low, r->high, r->before)",
        "OK",
    ),
    "who enters by a port that goes down still shares answers": (
        "index.c",
        "if (sharing_end(e, port)) return e->error;",
        "",
    ),
    "of wide edits the port is not looked at as it was": ("sweep_edits.c", "!replaced) set_port(", "0) set_port("),
    "of wide edits the routes are not looked at as they were": (
        "sweep_edits.c",
        "e->override_table = replaced ? table : NOBODY;",
        "",
    ),
    "of wide edits only the first stretch is answered": ("sweep_edits.c", "p->edit < e->edits", "p->edit < 1"),
    "of what is kept nothing is forgotten": ("hubs.c", "if (found && list_set(", "if (0 && list_set("),
    "of what is kept all is read while a change is answered": (
        "hubs.c",
        "if (hidden->low <= label) return NULL;",
        "if (hidden->low <= label) continue;",
    ),
    "of what is kept the way through a changed table is kept, too": (
        "hubs.c",
        "passes & (PASSES_APART | MET_APART) ||",
        "",
    ),
    "of what is kept answers that were put are forgotten": (
        "answers.c",
        "        e->found_last[attachment] = NOBODY;\n",
        "",
    ),
    "of what is kept a hub beyond is not named": ("hubs.c", "e->passes |= kept->passed;", ""),
    "of what is kept a table's next hops read only one": (
        "own.c",
        "        add_outcome(e, base, node);",
        "        return node;",
    ),
    "of what is kept nobody gets to a change through a hub": ("behind.c", "behind |= hub_bit(hub)", ""),
    "of what some keep nobody gets to a change before a hub": ("behind.c", "|| e->hubs.near[table]", ""),
}
PREPARED: dict[str, Prepare] = {
    "of wide edits": as_large,
    "of what is kept": with_hubs,
    "of what some keep": partial(with_hubs, every=3),
}


def _never_remembered(at: Moment, _device: int, _memories: object) -> Moment:
    """No device knows an answer again: nothing is translated back."""
    return at._replace(device=_device, came=at.packet, known=None)


def test_a_flow_that_is_not_translated_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows are walked by the plain walker in the engine too: its golden flows are what notices."""
    golden = (forwarding_and_back, source_and_back, tunnel_and_back)
    for flow in golden:
        flow()
    monkeypatch.setattr(Plain, "_enter", staticmethod(_never_remembered))
    for flow in golden:
        with pytest.raises(AssertionError):
            flow()


# features of the networks in which a break is not noticed by luck: bare routes for what only tables and ports share
ROUTES_AND_PORTS = ("ecmp", "leaks")
CHANGE_FEATURES: dict[str, tuple[str, ...]] = {"who enters by a port that goes down still shares answers": ()}


def first_sequence(count: int, name: str) -> int | None:
    """The first random sequence of changes along which something deviates."""
    prepare = next((by for beginning, by in PREPARED.items() if name.startswith(beginning)), None)
    features = CHANGE_FEATURES.get(name, ROUTES_AND_PORTS if prepare else None)
    return next((seed for seed in range(count) if any(True for _found in of_sequence(seed, features, prepare))), None)


@pytest.mark.parametrize("name", CHANGE_BREAKS)
def test_a_broken_change_is_noticed(name: str, tmp_path: Path) -> None:
    with broken_library(tmp_path, (CHANGE_BREAKS[name],)):
        seed = first_sequence(40, name)
    assert seed is not None, f"{name}: nobody noticed"
    assert first_sequence(seed + 1, name) is None
