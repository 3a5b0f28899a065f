"""The lab's door: `python -m lab.door prepare|up|status|test|down|reset`, and the same verbs for `onefold lab`.

`up` raises the network and the cloud of a project folder (-C DIR; without one the district of `network_models`).
Progress goes to standard error, results to standard output; `--json` gives one object with the key `schema`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import network
from lab.progress import Progress, printed, silent
from orchestrator.errors import LabError, OnefoldError
from orchestrator.model.estate import Estate

SCHEMA = "onefold-lab/1"
Answer = dict[str, Any]
Texts = dict[str, dict[str, str]]


def world(folder: Path | None) -> tuple[Estate, Texts | None]:
    """Return the estate of a project folder and its exported configurations; without a folder, the district."""
    if folder is None:
        from network_models import district

        return district.now(), None
    from orchestrator.intake.project import Project
    from orchestrator.intake.read import read

    project = Project.open(folder)
    estate = read(project).estate
    home = project.path(project.configurations)
    managed = [device.name for device in estate.devices.values() if set(device.platforms) - {"unmanaged"}]
    texts = {name: {file.name: file.read_text() for file in sorted((home / name).glob("*"))} for name in managed}
    if bare := [name for name, files in texts.items() if not files]:
        raise LabError(f"{home / bare[0]}: no exported configuration of {bare[0]}: the lab cannot start it")
    return estate, texts


def prepare(progress: Progress = silent) -> Answer:
    """Fetch or build everything the lab needs into the cache: packages, switching, OpenStack, the engine.

    The engine is built, which takes processors, beside what is downloaded, which takes the network.
    """
    from lab import openstack, ovn, packages
    from orchestrator.apply import engine

    installed = packages.ensure(progress)
    with ThreadPoolExecutor(1) as beside:
        building = beside.submit(engine.ensure, progress)
        switching = ovn.ensure(progress)
        openstack.install(progress)
        found = building.result()
    return {"packages": list(installed), "switching": switching.version(), "engine": found.version}


def up(folder: Path | None = None, cloud: bool = True, progress: Progress = silent) -> Answer:
    """Raise network and cloud. Raises LabError when a lab is up already."""
    estate, texts = world(folder)
    network.require_down()  # before the cloud's minutes, not after them
    if cloud:
        from lab import openstack

        openstack.reset(progress)  # the lab raises what is now, and so does its cloud: empty
    network.up(estate, texts, cloud, progress)
    return status()


def down(progress: Progress = silent) -> Answer:
    """End network and cloud, whatever state they are in."""
    from lab import openstack

    ended = network.down()
    progress(f"network: {ended} nodes ended")
    openstack.down()
    progress("openstack: ended")
    return {"nodes_ended": ended}


def reset(progress: Progress = silent) -> Answer:
    """Bring devices, hosts and cloud back to their first state."""
    from lab import openstack

    with_cloud = network.saved_cloud()
    network.reset(progress, (lambda: openstack.reset(progress)) if with_cloud else None)
    return status()


def status() -> Answer:
    """Return what runs."""
    from lab import openstack

    return {"network": network.status(), "cloud": openstack.status()}


def compared(progress: Progress = silent) -> Answer:
    """Hold real packets against predicted ones, for every pair of hosts, in the state of the last `up` or `reset`."""
    from lab.comparison import compare

    if not network.status()["up"]:
        raise LabError(
            "the lab is not up, so packets would say nothing: run 'onefold lab up', or look at 'onefold lab status'"
        )
    progress("test: probing every pair of hosts on every probe port")
    found = compare(network.saved_estate())
    return {
        "packets": found.packets,
        "answered": found.answered,
        "unknown": found.unknown,
        "asked_again": found.asked_again,
        "differences": [str(one) for one in found.differences],
        "equal": found.equal,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; 0 done, 1 failed or packets differ, 2 wrong words."""
    arguments = _arguments(argv)
    verbs: dict[str, Callable[[], Answer]] = {
        "prepare": lambda: prepare(printed),
        "up": lambda: up(arguments.folder, not arguments.network_only, printed),
        "down": lambda: down(printed),
        "reset": lambda: reset(printed),
        "status": status,
        "test": lambda: compared(printed),
    }
    begun = time.monotonic()
    try:
        answer = verbs[arguments.verb]()
    except OnefoldError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    seconds = round(time.monotonic() - begun, 1)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "verb": arguments.verb, "seconds": seconds, **answer}, indent=2))
    else:
        print("\n".join(_lines(arguments.verb, answer, seconds)))
    return 0 if answer.get("equal", True) else 1


def _lines(verb: str, answer: Answer, seconds: float) -> list[str]:
    """Return the answer for people."""
    if verb == "test":
        counts = f"{answer['packets']} packets, {answer['answered']} answered, {answer['unknown']} unknown"
        verdict = "all as predicted" if answer["equal"] else f"{len(answer['differences'])} not as predicted"
        return [*answer["differences"], f"{counts}: {verdict} ({seconds} s)"]
    if "network" not in answer:
        return [f"{verb}: done ({seconds} s)"]
    nodes: dict[str, dict[str, Any]] = answer["network"]["nodes"]
    faults = [f"{name}: {', '.join(entry['missing'])} missing" for name, entry in nodes.items() if entry["missing"]]
    running = sum(entry["pid"] is not None for entry in nodes.values())
    return [*faults, f"network: {running} of {len(nodes)} nodes run", f"cloud: {answer['cloud']['state']}"]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.door", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("verb", choices=("prepare", "up", "status", "test", "down", "reset"))
    parser.add_argument("-C", dest="folder", type=Path, help="project folder (default: the district as a value)")
    parser.add_argument("--network-only", action="store_true", help="leave the cloud out")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
