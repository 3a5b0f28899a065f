#!/usr/bin/python3
"""Ansible module: bring an FRR router to whole texts: namespaces and ports first, then the routing daemons.

`ordered` are addresses and static routes that are typed one after the other before the whole text is loaded (see
module_utils/frr_lines.py); with `insist` nothing is taken out before what takes its place is usable.
The texts stay in /etc/onefold, the routing also where FRR looks for it at its next start. In check mode nothing is
changed; `commands` and `stdout` then say what would be run and written. The whole is done under the device's lock.
Standard library only: it runs on the router.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.frr_lines import GONE, carry_out
from ansible.module_utils.netns_vrf import additions, await_zebra, look, output, removals, structure
from ansible.module_utils.placing import draft, locked, place

FOLDER = Path("/etc/onefold")
KEPT = Path("/etc/frr/frr.conf")
RELOAD = ["/usr/bin/python3", "/usr/lib/frr/frr-reload.py", "--stdout"]
SETTLE = 1.0  # seconds in which zebra takes note that ports have left, before their namespace goes
SECONDS = 240


class Refused(Exception):  # noqa: N818  # a module knows nothing of the product's errors
    """A command failed; the arguments are what it was for and how it ended."""


def main() -> None:
    """Run as an Ansible module."""
    text = {"type": "str", "no_log": True}
    fields = {
        "frr": {**text, "required": True},
        "first": text,
        "links": {"type": "str", "required": True},
        "ordered": {"type": "list", "elements": "dict", "default": []},
        "insist": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=fields, supports_check_mode=True)
    try:
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        with locked() as lock:
            told = (_preview if module.check_mode else _bring)(module.params, lock)
    except Refused as refused:
        what, done = refused.args
        module.fail_json(msg=f"{what}: exit code {done.returncode}", stdout=done.stdout, stderr=done.stderr)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        module.fail_json(msg=f"{error}: {(getattr(error, 'stderr', '') or '').strip()}")
    module.exit_json(changed=True, **told)


def _preview(given: dict[str, Any], lock: int) -> dict[str, Any]:
    have, want = look(), structure(given["links"])
    with draft(FOLDER / "frr.conf", given["frr"]) as new:
        said = _reload("difference", "--test", new, lock)
    typed = [line["line"] for line in given["ordered"]]
    return {"commands": additions(have, want) + typed + removals(have, want), "stdout": said}


def _bring(given: dict[str, Any], lock: int) -> dict[str, Any]:
    """A VRF leaves the configuration only when its namespace is gone.

    Asked for earlier, FRR 8.4 refuses, and zebra dies when a namespace goes away whose "netns" line was taken out
    before. `first` is what it runs in between.
    """
    want = structure(given["links"])
    place(FOLDER / "links.batch", given["links"])
    place(FOLDER / "frr.conf", given["frr"])
    have = look()
    commands = _carry_out(additions(have, want), set(want) - set(have))
    commands += carry_out(given["ordered"], FOLDER, given["insist"])
    if given["first"]:
        place(FOLDER / "frr-first.conf", given["first"])
    said = _reload("reload", "--reload", FOLDER / ("frr-first.conf" if given["first"] else "frr.conf"), lock)
    commands += _carry_out(removals(look(), want), set())
    if given["first"]:
        said += _reload("second reload", "--reload", FOLDER / "frr.conf", lock)
    place(KEPT, given["frr"], 0o640, "frr")
    return {"commands": commands, "stdout": said}


def _carry_out(commands: list[str], new: set[str]) -> list[str]:
    for command in commands:
        if command.startswith("ip netns del"):
            time.sleep(SETTLE)
        if command.startswith("ip link add"):  # one left outside by a run that was cut off is made anew
            subprocess.run(["ip", "link", "del", command.split()[3]], capture_output=True, timeout=30, check=False)
        output(shlex.split(command))
    if commands:
        await_zebra(new)
    return commands


def _reload(what: str, how: str, path: Path, lock: int) -> str:
    """What the reload said. Once more where routes of a leaving VRF went by themselves before they were taken out."""
    done = _run(how, path, lock)
    if done.returncode and GONE in done.stdout + done.stderr:
        done = _run(how, path, lock)
    if done.returncode:
        raise Refused(what, done)
    return done.stdout


def _run(how: str, path: Path, lock: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RELOAD, how, str(path)], capture_output=True, text=True, timeout=SECONDS, pass_fds=(lock,), check=False
    )


if __name__ == "__main__":
    main()
