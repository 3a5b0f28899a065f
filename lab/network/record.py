"""What the lab remembers: the first state to which `reset` returns, and what should run in every node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lab.network import node, routers, switches
from lab.network.layout import HUB, Layout
from orchestrator.errors import LabError
from orchestrator.model.estate import Estate

Texts = Mapping[str, Mapping[str, str]]


def saved_estate() -> Estate:
    """Return the estate of the last `up`. Raises LabError when there was none."""
    return saved()[0]


def saved_cloud() -> bool:
    """Return whether the last `up` joined the cloud. Raises LabError when there was none."""
    return saved()[2]


def save(estate: Estate, texts: Texts, cloud: bool) -> None:
    """Keep the first state."""
    value = {"estate": estate.plain(), "texts": texts, "cloud": cloud}
    (node.place().folder / "first.json").write_text(json.dumps(value, ensure_ascii=False))


def saved() -> tuple[Estate, dict[str, dict[str, str]], bool]:
    """Return the first state: estate, texts, whether the cloud was joined. Raises LabError when there is none."""
    try:
        value = json.loads((node.place().folder / "first.json").read_text())
    except FileNotFoundError as error:
        raise LabError("there is no first state to go back to: run 'onefold lab up'") from error
    return Estate.model_validate(value["estate"]), value["texts"], value["cloud"]


def write_running(plan: Layout, texts: Texts) -> None:
    """Note which programs must run in which node."""
    wanted: dict[str, list[str]] = {HUB: []}
    for name, entry in plan.nodes.items():
        wanted[name] = list(switches.DAEMONS if entry.kind == "switch" else routers.daemons(texts.get(name, {})))
        wanted[name] += ["vrp_emulator" if entry.kind == "vendor" else "sshd"] if entry.management else []
        wanted[name] += ["onefold-answer"] if entry.kind == "host" else []
    (node.place().folder / "record.json").write_text(json.dumps(wanted, sort_keys=True))


def running() -> dict[str, list[str]]:
    """Return which programs must run in which node; empty when nothing was raised."""
    file = node.place().folder / "record.json"
    found: dict[str, list[str]] = json.loads(file.read_text()) if file.exists() else {}
    return found
