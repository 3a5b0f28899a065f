"""First process of a throw-away world: makes nodes and runs commands in them, told by JSON lines on its standard input.

It ends with its input, and with it everything in its process namespace: however the process that holds the other end of
the pipe ends, nothing is left. Runs with the machine's own Python and the standard library only.
"""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NODE = """
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs /var/log
mkdir -p /var/tmp/frr /run/netns /run/frr /var/log/frr
mount -t tmpfs -o mode=0755 tmpfs /var/tmp/frr
mount -t tmpfs -o mode=0755 tmpfs /etc/frr
mount -t sysfs sysfs /sys
chown frr:frr /run/frr /var/log/frr /var/tmp/frr
hostname "$1"
ip link set lo up
echo ready
exec sleep infinity
"""
WORKERS = 4  # the machines that this runs on have two cores
said = threading.Lock()
nodes: dict[str, "subprocess.Popen[str]"] = {}


def node(name: str) -> int:
    """Start the node and return its process id in this world."""
    command = ["unshare", "--net", "--mount", "--uts", "bash", "-ec", NODE, "node", name]
    process = nodes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError(f"node {name} did not start")
    return nodes[name].pid


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a script, in a node or (without one) in the world's own namespaces."""
    where = request.get("node")
    front = ["nsenter", "-t", str(nodes[where].pid), "--net", "--mount", "--uts", "--"] if where else []
    done = subprocess.run(
        [*front, *request["argv"]],
        input=request.get("input", ""),
        capture_output=True,
        text=True,
        timeout=request["seconds"],
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def answer(request: dict[str, Any]) -> None:
    """Do what is asked and say what came of it, as one line."""
    try:
        result = {"pid": node(request["make"])} if "make" in request else run(request)
    except (OSError, RuntimeError, KeyError, subprocess.SubprocessError) as error:
        result = {"failed": f"{type(error).__name__}: {error}"}
    with said:
        print(json.dumps({"id": request["id"], **result}), flush=True)


def main() -> None:
    """Serve until the input ends."""
    workers = ThreadPoolExecutor(WORKERS)
    for line in sys.stdin:
        workers.submit(answer, json.loads(line))


if __name__ == "__main__":
    try:
        main()
    finally:
        sys.stdout.flush()
        os._exit(0)  # without waiting for commands that still run: they end with this process
