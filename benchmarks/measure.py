"""Timing of functions and of whole processes."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any


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
