"""Knowing at once when the cloud binds, changes or removes a port, without asking its interfaces over and over."""

from __future__ import annotations

import os
import subprocess
import threading
import time

from lab import ovn
from lab.openstack.settings import Bed


class Watcher(threading.Thread):
    """Follows the port bindings in OVN's southbound database; ``wait`` returns early when something changed."""

    def __init__(self, cloud: Bed) -> None:
        super().__init__(daemon=True, name="watcher")
        self._socket = cloud.ovn / "sb.sock"
        self._changed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the program that follows the database; the thread itself ends with its process."""
        if self._process is not None:
            self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Wait for a change, at most so long; return whether there was one since the last call."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    def run(self) -> None:
        """Follow the database, and take it up again when it was gone for a while."""
        columns = "logical_port,mac,type"  # not those that change when a node claims a port
        command = ["ovsdb-client", "monitor", f"unix:{self._socket}", "OVN_Southbound", "Port_Binding", columns]
        environment = {**os.environ, "PATH": ovn.ensure().path()}
        while True:
            with subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                self._process = process
                for _ in process.stdout or ():
                    self._changed.set()
            time.sleep(1)
