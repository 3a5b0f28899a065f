"""The warm process: has Ansible imported, forks for each playbook, ends with its owner.

Started as a program (warm.py): LISTENING-FD FOLDER. Its standard input is the owner's pipe: closed, it ends. Ansible
reads many of its settings when it is imported, so it is imported with the first job's; a job that has others in its
environment gets an ansible-playbook of its own.
"""

import contextlib
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

#: what Ansible reads anew for each run; whatever else it reads from the environment must be as it was when imported
OF_A_RUN = frozenset({"ANSIBLE_SSH_ARGS", "ANSIBLE_SSH_CONTROL_PATH_DIR"})
_PARTS = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.connection.local",
    "ansible.plugins.action.normal",
    "ansible.plugins.inventory.yaml",
)


class Job:
    """One playbook: its forked process and the caller who waits for it."""

    def __init__(self, caller: socket.socket, number: int) -> None:
        self.caller, self.number = caller, number
        self.handle = os.pidfd_open(number)


class Server:
    """The loop of the warm process."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._settings: dict[str, str] | None = None
        self._jobs: list[Job] = []

    def serve(self) -> None:
        """Take jobs until the owner is gone, then end those that run."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # playbooks are told, the owner decides
        self._selector.register(0, selectors.EVENT_READ, lambda: None)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    for job in self._jobs:
                        os.kill(job.number, signal.SIGKILL)
                    return
                if self._selector.get_map().get(key.fd) is key:  # not closed by what came before it in this round
                    key.data()

    def _accept(self) -> None:
        caller, _ = self._listening.accept()
        streams: list[int] = []
        try:
            caller.settimeout(10)
            job, streams = _received(caller)
            if self._settings is None:
                self._settings = settings(job["environment"])
                _import(job["environment"])
            number = os.fork()
            if number == 0:
                self._selector.close()
                self._listening.close()
                _play(job, streams, warm=settings(job["environment"]) == self._settings)
            self._watch(Job(caller, number))
        except (OSError, ValueError):
            caller.close()  # the caller is told that nobody plays
        finally:
            for stream in streams:
                os.close(stream)

    def _watch(self, job: Job) -> None:
        self._jobs.append(job)
        self._selector.register(job.handle, selectors.EVENT_READ, lambda: self._ended(job))
        # a caller says nothing more: readable means that it is gone, and nobody wants this playbook any longer
        self._selector.register(job.caller, selectors.EVENT_READ, lambda: self._left(job))

    def _left(self, job: Job) -> None:
        self._selector.unregister(job.caller)
        os.kill(job.number, signal.SIGKILL)

    def _ended(self, job: Job) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(job.number, 0)[1])
        with contextlib.suppress(OSError):
            job.caller.send(bytes([code if 0 <= code <= 255 else 128 - code]))
        for watched in (job.handle, job.caller):
            with contextlib.suppress(KeyError):
                self._selector.unregister(watched)
        os.close(job.handle)
        job.caller.close()
        self._jobs.remove(job)


def settings(environment: dict[str, str]) -> dict[str, str]:
    """What of an environment Ansible may have read when it was imported."""
    names = ("ANSIBLE_", "LANG", "LC_", "HOME", "PYTHON", "TMPDIR")
    return {name: value for name, value in environment.items() if name.startswith(names) and name not in OF_A_RUN}


def _received(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A job and its three streams. Raises OSError or ValueError when the caller is gone or talks nonsense."""
    head, streams, _, _ = socket.recv_fds(caller, 8, 3)
    with caller.makefile("rb") as body:
        return json.loads(body.read(int.from_bytes(head, "big"))), list(streams)


def _import(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for part in _PARTS:
        with contextlib.suppress(ImportError):  # then the playbook imports it, or says why it cannot
            importlib.import_module(part)


def _play(job: dict[str, Any], streams: list[int], warm: bool) -> NoReturn:
    """In the forked process: run the playbook under the caller's streams and end."""
    code: Any = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        if not warm:
            real = str(Path(sys.executable).parent / "ansible-playbook")
            os.execv(real, [real, *job["arguments"]])  # noqa: S606  # a path of ours, no shell
        sys.argv = ["ansible-playbook", *job["arguments"]]
        from ansible.cli.playbook import main

        main(sys.argv)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException as error:  # noqa: BLE001  # nothing may return into the parent's loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # what was there before the fork is not this process's to tidy


def main() -> None:
    """Serve until the owner is gone; then nothing is left."""
    listening, folder = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    try:
        Server(listening).serve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
