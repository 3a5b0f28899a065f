"""The district: start of the command, import → design → plan → prove, and drift beside Pulumi's own refresh."""

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import peak_megabytes, process, spread, timed

FOLDER = Path(__file__).parent.parent / "network_models" / "wangchao"


def _stages() -> dict[str, Any]:
    from orchestrator import pipeline
    from orchestrator.intake.project import Project

    rows: dict[str, list[float]] = {"read": [], "design": [], "plan": [], "prove": []}
    verdict = plan = None
    for _ in range(3):
        project = Project.open(FOLDER)
        seconds, reading = timed(pipeline.survey, project)
        rows["read"].append(seconds)
        seconds, target = timed(pipeline.designed, project, reading)
        rows["design"].append(seconds)
        seconds, plan = timed(pipeline.planned, project, reading, target, "benchmark")
        rows["plan"].append(seconds)
        seconds, verdict = timed(pipeline.verdict_of, reading, plan)
        rows["prove"].append(seconds)
    together = [sum(parts) for parts in zip(*rows.values(), strict=True)]
    assert plan is not None
    assert verdict is not None
    return {
        "seconds": {name: spread(values) for name, values in rows.items()} | {"together": spread(together)},
        "goal_seconds_together": 3.0,
        "steps": len(plan.steps),
        "states": verdict.states,
        "packets": verdict.packets,
        "result": verdict.result,
    }


def run() -> dict[str, Any]:
    """One object: figures, units, peers, ratios. A part that cannot be measured here says why."""
    command = process([sys.executable, "-m", "cli", "--help"])
    python = process([sys.executable, "-c", "import click"])
    body: dict[str, Any] = {
        "command_start": {
            "seconds": command,
            "goal_seconds": 0.3,
            "peer": "python -c 'import click'",
            "peer_seconds": python,
            "ratio": round(command["median"] / python["median"], 2),
        },
        "import_plan_prove": _stages(),
        "cpus": os.cpu_count(),
        "peak_megabytes": peak_megabytes(),
    }
    return body
