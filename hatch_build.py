"""Builds the forwarding engine's native part: C11 sources -> one shared library inside the package.

`python hatch_build.py` builds it in place; hatchling calls the hook below for `pip install -e .` and for wheels, so a
user of a wheel needs no compiler. Without `cc` on the PATH the compiler comes from PyPI (ziglang), only for the build.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
NATIVE = Path("orchestrator", "forwarding", "engine", "native")
LIBRARY = "libforwarding.so"
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-pthread", "-Wl,-Bsymbolic", "-Wall", "-Wextra", "-Werror")
ZIG = "ziglang==0.13.0"  # pinned: what it writes runs on every Linux with the same C library or a newer one


def compiler() -> list[str]:
    """The command of a C compiler: $CC, else cc, else zig from PyPI. Raises RuntimeError when there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    if found := shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
        return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RuntimeError(f"no C compiler: install one (Debian: gcc libc6-dev) or run 'pip install {ZIG}'")


def compile_library(sources: Sequence[Path], target: Path, extra: Sequence[str] = ()) -> None:
    """Compile C sources into the shared library `target`, whole or not at all. Raises RuntimeError with the output."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        built = Path(folder, target.name)
        command = [*compiler(), *FLAGS, *extra, "-o", str(built), *map(str, sources), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        built.replace(target)


def build(root: Path = ROOT) -> Path:
    """The library of a source tree, compiled when it lacks or is older than a source; its path."""
    native = root / NATIVE
    target = native / LIBRARY
    inputs = [*native.glob("*.[ch]"), Path(__file__)]
    if not target.exists() or target.stat().st_mtime < max(path.stat().st_mtime for path in inputs):
        compile_library(sorted(native.glob("*.c")), target)
    return target


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `python hatch_build.py` and the tests work without hatchling
    pass
else:
    from packaging.tags import platform_tags

    class CustomBuildHook(BuildHookInterface[Any]):  # hatchling finds it by this name
        """Compiles before anything is packed, and names the wheel after the platform it runs on."""

        def dependencies(self) -> list[str]:
            """What this hook needs besides the build system: a compiler, when the machine has none."""
            try:
                compiler()
            except RuntimeError:
                return [ZIG]
            return []

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build for wheels and editable installs; a source distribution carries the C sources alone."""
            del version
            if self.target_name != "wheel":
                return
            build(Path(self.root))
            build_data["artifacts"].append(f"/{NATIVE / LIBRARY}")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{next(iter(platform_tags()))}"


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
