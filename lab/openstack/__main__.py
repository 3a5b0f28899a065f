"""``python -m lab.openstack install|up|reset|down|status``: the lab's cloud by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from lab.openstack import cloud
from lab.progress import printed
from orchestrator.errors import OnefoldError


def main(arguments: list[str]) -> int:
    """Do what the one argument says and return the exit code."""
    verbs: dict[str, Callable[[], None]] = {
        "install": lambda: cloud.install(printed),
        "up": lambda: cloud.up(printed),
        "reset": lambda: cloud.reset(printed),
        "down": cloud.down,
        "status": lambda: print(json.dumps(cloud.status(), indent=2)),
    }
    if len(arguments) != 1 or arguments[0] not in verbs:
        print(f"usage: python -m lab.openstack {'|'.join(verbs)}", file=sys.stderr)
        return 2
    try:
        verbs[arguments[0]]()
    except OnefoldError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
