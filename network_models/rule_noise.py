"""Entries that change nothing between zones, as rule sets of many years are full of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from network_models.columns import anywhere, taken
from network_models.province import Province
from network_models.rule_shapes import SERVICES, Rows, narrowed, picked, public_services, rows
from orchestrator.forwarding.engine.network import Action, Prefixes


def noise_of(province: Province, permits: Rows, count: int, random: np.random.Generator) -> list[Rows]:
    """Entries about addresses no zone has, matches behind earlier ones that cover them, denials at the end.

    Public-looking ones stand in filters of odd number only; groups of permits for other units stand everywhere.
    """
    odd = np.arange(1, len(province.network.zone_names), 2)
    behind, public, broad = int(count * 0.3), int(count * 0.2), int(count * 0.1)

    def foreign(size: int) -> Prefixes:
        many = taken(province.foreign, random.integers(0, len(province.foreign.family), size))
        return narrowed(many, random.integers(0, 9, size), random)

    fit = np.where(permits.filter % 2 == 1)[0]
    shadow = picked(permits, random.choice(fit, behind if len(fit) else 0))
    shadow = replace(
        shadow, place=2 + random.random(len(shadow)), action=random.integers(0, 2, len(shadow)),
        source=narrowed(shadow.source, random.integers(0, 5, len(shadow)), random),
    )  # fmt: skip
    service, port = public_services(public, random)
    action = random.integers(0, 2, public)
    other = rows(
        random.choice(odd, public), 1 + 2 * random.random(public), foreign(public), anywhere(public), service,
        Action.PERMIT, port,
    )  # fmt: skip
    wide_service, wide_port = public_services(broad, random)
    short = foreign(broad)
    length = random.integers(8, 21, broad)
    low = short.low & ~((np.uint64(1) << (32 - length).astype(np.uint64)) - np.uint64(1))
    wide = rows(
        random.choice(odd, broad), 3 + random.random(broad), short._replace(low=low, length=length.astype(np.uint8)),
        anywhere(broad), wide_service, Action.DENY, wide_port,
    )  # fmt: skip
    rest = count - len(shadow) - public - broad
    units = np.array(SERVICES)[random.integers(0, len(SERVICES), rest)]
    zones = random.integers(0, len(province.network.zone_names), rest)
    groups = rows(zones, 1 + random.random(rest), foreign(rest), anywhere(rest), units, Action.PERMIT)
    return [shadow, replace(other, action=action), wide, groups]
