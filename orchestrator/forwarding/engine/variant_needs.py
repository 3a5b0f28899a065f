"""Whether the variants of filters that an engine was built with still suffice after an entry came or went."""

from __future__ import annotations

from orchestrator.forwarding.engine.entries import Entries
from orchestrator.forwarding.engine.network import NONE, Action
from orchestrator.forwarding.engine.tables import Compiled

_NO_PORT = frozenset((NONE,))


def suffices(compiled: Compiled, entries: Entries, number: int, readings: list[tuple[int, int]]) -> bool:
    """Whether a filter names the ports that it named, and has unread entries just when it had some.

    `readings`: actions of the entries that came and went, and the ports that they name.
    """
    actions, ports = {action for action, _port in readings}, {port for _action, port in readings}
    if Action.UNKNOWN in actions:
        first = int(compiled.arrays["variant_first"][number])
        if entries.unread(number) != bool(compiled.arrays["variant_unread"][first]):
            return False
    if ports <= _NO_PORT:
        return True
    named = compiled.variants.in_port[compiled.variants.filter == number]
    return entries.named(number) == set(named.tolist()) - {NONE}
