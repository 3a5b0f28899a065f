"""The engine's benchmarks work in small: every answer in them is checked while they run. No time is judged."""

import json
import subprocess
import sys

import pytest

PARTS = {
    "forwarding": {"forwarding", "growth", "filters", "walked", "tree", "differences", "first_use"},
    "updates": {"province", "backbone"},
    "proof": {"seconds", "states", "world_seconds", "goal_seconds"},
    "order": {"seconds", "calls_per_step", "goal_calls_per_step"},
}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_benchmark_in_its_quick_size_is_one_object_with_its_parts_and_peak_memory(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    figures = json.loads(lines[0])
    assert len(lines) == 1
    assert figures["benchmark"] == name
    assert PARTS[name] <= figures.keys()
    assert '"peak_megabytes"' in lines[0]


def test_a_part_that_fails_fails_the_benchmark() -> None:
    from benchmarks.forwarding import forwarding
    from benchmarks.measure import alone

    with pytest.raises(subprocess.CalledProcessError):
        alone(forwarding, routers=1)  # refused: no province is so small


def test_the_quoted_peer_is_divided_by_what_was_measured() -> None:
    from benchmarks.forwarding import ratios

    assert ratios({"one_service_seconds": 0.5, "after_one_line_seconds": {"median": 0.01}, "zones": 3}) == {
        "one_service_seconds": 66.0,
        "after_one_line_seconds": 9700.0,
    }
