"""No-change drift of the cloud beside `pulumi preview --refresh` of the same stacks, on a lab with an applied run.

Needs ONEFOLD_PROJECT: a project folder whose lab is up and whose plan is applied (`python -m lab.demo --keep` leaves
the lab up, but rolled back: apply once more). Without one it says so instead of a figure.
"""

import os
from pathlib import Path
from typing import Any

from benchmarks.measure import peak_megabytes, spread, timed

RUNS = 5


def run(quick: bool = False) -> dict[str, Any]:
    """Seconds of both, and how many times faster ours is; `quick` measures once."""
    folder = os.environ.get("ONEFOLD_PROJECT")
    if not folder:
        return {"unmeasured": "set ONEFOLD_PROJECT to a project whose lab is up and whose plan is applied"}
    from orchestrator.apply import cloud_world
    from orchestrator.apply.cloud import Cloud, stacks_of
    from orchestrator.cli.common import access_of, state_folder
    from orchestrator.cli.world import estate_now
    from orchestrator.intake.project import Project
    from orchestrator.pipeline import survey
    from orchestrator.records.runs import Records

    project = Project.open(Path(folder))
    estate = estate_now(Records(state_folder(project), project.world), survey(project).estate)
    cloud = Cloud(access_of(project))
    stacks = tuple(stacks_of(estate))
    if not stacks:
        return {"unmeasured": "the project has no stack yet: apply its plan first"}
    wanted = cloud_world.expected_rows(estate)
    ours, theirs = [], []
    for _ in range(1 if quick else RUNS):
        seconds, found = timed(cloud_world.cloud_rows, cloud.connection, estate)
        ours.append(seconds)
        if any(found.get(key) != row for key, row in wanted.items()):
            return {"unmeasured": "the cloud has drifted: the comparison is for no change"}
        begin = 0.0
        for stack in stacks:
            seconds, changed = timed(cloud.preview, stack, estate)
            begin += seconds
            if changed:
                return {"unmeasured": f"pulumi previews changes of {stack}: the comparison is for no change"}
        theirs.append(begin)
    return {
        "resources": sum(len(table) for table in stacks_of(estate).values()),
        "stacks": len(stacks),
        "seconds": spread(ours),
        "peer": "pulumi preview --refresh, one stack after the other",
        "peer_seconds": spread(theirs),
        "ratio": round(spread(theirs)["median"] / spread(ours)["median"], 2),
        "peak_megabytes": peak_megabytes(),
    }
