"""python -m benchmarks [NAME ...] --json: run benchmarks, found by walking this folder."""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys

import benchmarks


def names() -> list[str]:
    """Every module of the folder with a `run`."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in ("__main__", "measure"))


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*names(), []], help="which; none means all")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (else indented)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that the benchmarks with sizes work")
    arguments = parser.parse_args()
    for name in arguments.name or names():
        run = importlib.import_module(f"benchmarks.{name}").run
        sized = "quick" in inspect.signature(run).parameters
        result = run(quick=arguments.quick) if sized else run()
        print(
            json.dumps({"benchmark": name, **result}, ensure_ascii=False, indent=None if arguments.json else 1),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
