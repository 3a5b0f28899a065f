"""The main job once, on real parts, by the command that everybody uses: `make demo`.

Raises the district on the lab, reads, designs, plans, proves, signs, applies with live checks, looks for drift, writes
the report, and rolls everything back to the snapshot. Ends with one table of what was measured on the way.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import door, folders
from lab.progress import printed
from lab.watch import Seen, Watch, asks
from orchestrator.errors import OnefoldError

SOURCE = Path(__file__).parent.parent / "network_models" / "wangchao"


class DemoError(OnefoldError):
    """A stage of the demonstration did not end as it should."""


class Demo:
    """One demonstration: where it works, what it measured."""

    def __init__(self, home: Path) -> None:
        """A fresh copy of the district, with signing keys of its own."""
        self.home = home
        self.project = home / "wangchao"
        self.seconds: dict[str, float] = {}
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        shutil.copytree(SOURCE, self.project)
        subprocess.run(
            [sys.executable, "-m", "network_models.write_district", "keys", "--folder", str(self.project)],
            check=True,
            cwd=SOURCE.parent.parent,
            stdout=subprocess.DEVNULL,
        )

    def onefold(self, *words: str, allowed: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Run the command with --json; its progress is shown, its answer returned. Raises DemoError."""
        name = words[0]
        printed(f"onefold {' '.join(words)}")
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "-C", str(self.project), "--json", "--yes", *words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            answer = {}
        if done.returncode not in allowed:
            raise DemoError(
                f"'onefold {' '.join(words)}' ended with {done.returncode}: {answer.get('error', '')[:400]}"
            )
        return answer

    def stage(self, name: str, work: Any) -> Any:
        """Run and time something that is not a verb."""
        begin = time.monotonic()
        found = work()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin
        return found


def run(home: Path, keep: bool = False) -> list[tuple[str, str]]:
    """The whole way and back; returns the rows of the summary. Raises DemoError or what the lab raises."""
    demo = Demo(home)
    demo.stage("prepare", lambda: door.prepare(printed))
    demo.stage("lab", lambda: door.up(demo.project, True, printed))
    try:
        return _walk(demo)
    finally:
        if not keep:
            demo.stage("lab down", lambda: door.down(printed))


def _walk(demo: Demo) -> list[tuple[str, str]]:
    plan = str(demo.home / "plan.json")
    report = demo.home / "report.html"
    census = demo.onefold("census", "--cloud")
    demo.onefold("design")
    planned = demo.onefold("plan", "--out", plan, "--author", "planner")
    proof = demo.onefold("prove", plan)
    for person, key in _signers(demo.project):
        demo.onefold("approve", plan, "--as", person, "--key", str(key))
    demo.onefold("report", plan, "--out", str(report))
    with watched(demo.project) as watch:
        applied = demo.onefold("apply", plan, "--rehearsal")
    checked = demo.onefold("check")
    demo.onefold("drift")
    rolled = demo.onefold("rollback")
    return _summary(demo, census, planned, proof, applied, checked, rolled, report, watch.seen)


def watched(project: Path) -> Watch:
    """Users of the services that move and must always work, asking all the time."""
    from orchestrator.intake.policy import read_policy

    estate, _ = door.world(project)
    return Watch(asks(estate, read_policy(project / "policy.yaml").flows))


def _signers(project: Path) -> list[tuple[str, Path]]:
    from orchestrator.intake.policy import read_policy

    policy = read_policy(project / "policy.yaml")
    people = [person for person in policy.approvals.people if person.role in policy.approvals.required]
    return [(person.name, project / "keys" / f"{person.name}.pem") for person in people]


def _summary(
    demo: Demo,
    census: dict[str, Any],
    planned: dict[str, Any],
    proof: dict[str, Any],
    applied: dict[str, Any],
    checked: dict[str, Any],
    rolled: dict[str, Any],
    report: Path,
    seen: tuple[Seen, ...],
) -> list[tuple[str, str]]:
    verdict = proof["verdict"]
    released = [row for row in census["circuits"] if row["yearly_rent"]]
    parts = [part for step in applied["steps"].values() for part in step.values()]
    resources = sum(len(part["changed"]) for part in parts if isinstance(part.get("changed"), dict))
    outages = [float(seconds) for seconds in applied["outages"].values()]
    times = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in demo.seconds.items())
    return [
        ("facts read", ", ".join(f"{number} {kind}" for kind, number in census["facts"].items())),
        ("findings", str(len(census["findings"]))),
        ("steps", f"{planned['steps']} in {len(planned['waves'])} waves, {len(applied['done'])} done"),
        ("states proved", f"{verdict['states']} ({verdict['packets']} packets judged)"),
        ("packets predicted = observed", f"{applied['checks']} on the way, {checked['packets']} at the end, 0 differ"),
        ("cloud resources changed", str(resources)),
        ("configuration lines changed", str(sum(int(part.get("lines", 0)) for part in parts))),
        ("without writes", f"{max(outages):.1f} s at most, from freeze to opening" if outages else "never"),
        ("without answer to users", ", ".join(f"{one.flow} {one.longest_gap:.1f} s" for one in seen) or "nobody asked"),
        ("lines released", f"{len(released)}, {sum(row['yearly_rent'] for row in released)} yuan a year"),
        ("rolled back", f"{rolled['checks']} packets checked; the world equals the snapshot"),
        ("stands in", "a cloud server is a namespace (no machine is started); the VRP box is an emulator"),
        ("time", times),
        ("report", str(report)),
    ]


def main() -> int:
    """Run and print the table; 0 when everything ended as it should."""
    begin = time.monotonic()
    keep = "--keep" in sys.argv[1:]
    try:
        rows = run(folders.state().parent / "demo", keep)
    except OnefoldError as error:
        print(f"onefold: {error}", file=sys.stderr)
        return error.exit_code
    width = max(len(name) for name, _ in rows)
    print("\n" + "=" * 72)
    for name, value in rows:
        print(f"{name:{width}}  {value}")
    print(f"{'all together':{width}}  {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
