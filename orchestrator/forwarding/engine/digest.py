"""One number for all that an engine knows: equal for equal networks, whatever changes led there.

Answers are part of it where equal answers are equal graphs: without translations. A loop that rewrites packets may be
written down from several of its places, depending on which was met first; there the number stands for routes, entries
and ports alone, from which all answers follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.changed import filters_of
from orchestrator.forwarding.engine.labels import Label
from orchestrator.forwarding.engine.network import Filters
from orchestrator.forwarding.engine.outcomes import Outcome

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.engine import Engine


def digest_of(engine: Engine) -> str:
    """SHA-256 of answers, routes, filter entries and port states, in hexadecimal."""
    total = sha256()
    answers = () if len(engine.base.translations.kind) else _answers(engine)
    for part in (*answers, *_entries(engine), *_routes(engine), engine.core.ups().tobytes()):
        total.update(part)
    return total.hexdigest()


def _answers(engine: Engine) -> Iterator[bytes]:
    nodes = _nodes(engine)
    for attachment, (port, zone) in enumerate(zip(*map(list, engine.attachments), strict=True)):
        start, node = engine.segments(attachment)
        for label, number in zip(start.tolist(), node.tolist(), strict=True):
            yield repr((int(port), int(zone), engine.labels.address(label))).encode() + nodes[number]


def _entries(engine: Engine) -> Iterator[bytes]:
    filters, touched = engine.base.filters, engine.entries.touched()
    columns = _columns(filters)
    for number, (low, high) in enumerate(pairwise(filters.first.tolist())):
        content = _columns(filters_of(engine.entries.of(number))) if number in touched else columns[low:high]
        yield number.to_bytes(4, "little") + content.tobytes()


def _columns(filters: Filters) -> NDArray[np.uint64]:
    """One row of numbers per entry, its action first."""
    match = filters.match
    parts: list[NDArray[Any]] = [filters.action, filters.line, *match.source, *match.destination]
    parts += [getattr(match, name) for name in match._fields[2:]]
    return np.stack([part.astype(np.int64).astype(np.uint64) for part in parts], axis=1)


def _nodes(engine: Engine) -> list[bytes]:
    """A digest of each node: of what it says, not of its number."""
    outcomes, variants = engine.outcomes(), engine.variants
    found: list[bytes] = []
    bounds, children = outcomes.first.tolist(), outcomes.children.tolist()
    for number, (kind, a) in enumerate(zip(outcomes.kind.tolist(), outcomes.a.tolist(), strict=True)):
        below = [found[child] for child in children[bounds[number] : bounds[number + 1]]]
        if kind == Outcome.EITHER:
            below.sort()
        means = (int(variants.filter[a]), int(variants.in_port[a])) if kind in _FILTERS else a
        found.append(sha256(repr((kind, means, below)).encode()).digest())
    return found


_FILTERS = (Outcome.FILTER, Outcome.BRANCH_FILTER)


def _routes(engine: Engine) -> Iterator[bytes]:
    table, low, high, group = engine.core.routes()
    numbers, place = np.unique(group, return_inverse=True)
    hops = [repr(engine.hops(number)).encode() for number in numbers.tolist()]
    names = sorted(set(hops))
    rank = {name: index for index, name in enumerate(names)}
    means = np.array([rank[name] for name in hops], np.int64)
    order = np.lexsort((high, low, table))
    for column in (table, *_halves(engine, low), *_halves(engine, high), means[place]):
        yield column[order].tobytes()
    yield b"".join(names)


def _halves(engine: Engine, label: Label) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Addresses of labels: labels of IPv6 boundaries differ with the order of updates, addresses do not."""
    known, place = np.unique(label, return_inverse=True)
    addresses = [engine.labels.address(one) for one in known.tolist()]
    high = np.array([address >> 64 & (1 << 64) - 1 for _family, address in addresses], np.uint64)
    low = np.array([address & (1 << 64) - 1 for _family, address in addresses], np.uint64)
    family = np.array([family for family, _address in addresses], np.uint64)
    return high[place] ^ family[place], low[place]
