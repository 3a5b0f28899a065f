"""Timing of functions and of whole processes."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.errors import OnefoldError


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum of some runs, in seconds."""
    return {
        "minimum": round(min(seconds), 4),
        "median": round(statistics.median(seconds), 4),
        "maximum": round(max(seconds), 4),
        "runs": len(seconds),
    }


def process(command: Sequence[str], runs: int = 7) -> dict[str, float]:
    """Wall time of a command, one warm-up run first. Raises CalledProcessError when it fails."""
    subprocess.run(command, check=True, capture_output=True)
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    return spread(seconds)


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """(seconds, result) of one call."""
    begin = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - begin, result


def peak_megabytes() -> float:
    """Peak resident memory of this process so far, in MiB (getrusage(2))."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


_NESTED = "ONEFOLD_BENCHMARK_PART"  # a part that starts parts could start itself, without end
_ALONE = """
import importlib, json, sys
from benchmarks.measure import peak_megabytes
part = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(**json.loads(sys.argv[3]))
print(json.dumps({"peak_megabytes": peak_megabytes()} | part))
"""


def alone(work: Callable[..., dict[str, Any]], **sizes: Any) -> dict[str, Any]:
    """A part of a benchmark in a process of its own: its figures and the peak memory of just this part.

    A part that checks its answer with more memory than the answer needs says `peak_megabytes` itself, before.

    Raises CalledProcessError when the part fails, OnefoldError inside such a part; what it wrote to stderr is shown.
    """
    if os.environ.get(_NESTED):
        raise OnefoldError(f"{work.__name__} is started by a part that runs alone already: call it as a function there")
    command = [sys.executable, "-c", _ALONE, work.__module__, work.__name__, json.dumps(sizes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {_NESTED: "1"})
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 90th and 99th percentile and maximum of many short runs, in microseconds."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(1e6 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"median": at(0.5), "p90": at(0.9), "p99": at(0.99), "maximum": at(1.0), "runs": len(ordered)}


def shares(*, quick: bool) -> tuple[int, ...]:
    """How many times smaller the runs are that show how something grows."""
    return (2,) if quick else (30, 10, 3)


def smaller(size: dict[str, Any], share: int, **least: int) -> dict[str, Any]:
    """The same work, so many times smaller in what `least` names, and no smaller than that."""
    return size | {name: max(few, size[name] // share) for name, few in least.items()}
