"""onefold-service: the workloads of one host or cloud server, for people and for the workload mover over ssh.

    onefold-service define < DESCRIPTION.json   add or replace a workload (see below)
    onefold-service list | describe NAME        names; the description
    onefold-service start|stop|freeze|status NAME
    onefold-service dump NAME > FILE            a database as SQL
    onefold-service load NAME < FILE            the SQL into the (started) database
    onefold-service checksum NAME               files: SHA-256 per file; database: CHECKSUM TABLE per table

`freeze` stops writing and keeps reading; `start` thaws. A description is {"name", "kind": web|files|mail|database,
"port", "folder", "title", "database"}: for web the database it reads ({"host", "port", "name", "client_file"}), for a
database {"name", "user", "password_file"}; files with passwords have mode 0600. All lies below /srv, so that a copy of
/srv is a copy of everything. Exit codes: 0 done or running, 1 failed, 3 not running (status).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SERVICES = Path("/srv/services")
RUN = Path("/run/onefold")
TAKEN, FROZEN = RUN / "taken", RUN / "frozen"
SERVER = Path("/run/server")  # only inside a server of the lab's cloud
_SECONDS = 30.0
_INSTALL = (
    "--no-defaults", "--user=root", "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M",
    "--auth-root-authentication-method=socket",
)  # fmt: skip
_SERVER = (
    "--no-defaults", "--user=root", "--bind-address=0.0.0.0", "--skip-name-resolve", "--skip-log-bin",
    "--character-set-server=utf8mb4", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M",
    "--innodb-use-native-aio=0", "--performance-schema=0", "--max-connections=200",
    "--max-connect-errors=4294967295",  # probes connect and leave: that must never lock a host out
)  # fmt: skip


class WorkloadError(Exception):  # of no base of ours: this program runs where the rest of the project is not
    """What went wrong, in one line."""


def description(name: str) -> dict[str, Any]:
    """Return a workload's description."""
    try:
        found: dict[str, Any] = json.loads((SERVICES / f"{name}.json").read_text())
    except FileNotFoundError as error:
        raise WorkloadError(f"no workload {name} here: there are {', '.join(names()) or 'none'}") from error
    return found


def names() -> list[str]:
    """Return the defined workloads."""
    return sorted(file.stem for file in SERVICES.glob("*.json"))


def define(text: str) -> None:
    """Add or replace a workload."""
    value = json.loads(text)
    for field in ("name", "kind", "port", "folder"):
        if field not in value:
            raise WorkloadError(f"the description lacks {field!r}")
    SERVICES.mkdir(parents=True, exist_ok=True)
    (SERVICES / f"{value['name']}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def running(name: str) -> int | None:
    """Return the process of a workload, or None."""
    try:
        number = int((RUN / f"{name}.pid").read_text())
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else number


def start(name: str) -> None:
    """Start a workload and wait until it answers; a frozen one is thawed."""
    value = description(name)
    database = value["kind"] == "database"
    if (FROZEN / name).exists():
        (FROZEN / name).unlink()
        if running(name) and database:
            sql(name, "SET GLOBAL read_only = 0;")
    if running(name):
        return
    _take(int(value["port"]))
    folder = Path(value["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        _database(name, folder, value)
        if database
        else ["/usr/local/sbin/onefold-workload", str(SERVICES / f"{name}.json")]
    )
    with (RUN / f"{name}.log").open("a") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    (RUN / f"{name}.pid").write_text(str(process.pid))
    _wait(name, process, int(value["port"]))
    if database:
        _grant(name, value)


def stop(name: str) -> None:
    """Stop a workload; probes of the lab are answered on its port again."""
    value, number = description(name), running(name)
    if number is not None:
        os.kill(number, signal.SIGTERM)
        _until(lambda: running(name) is None, f"{name} does not stop")
    (RUN / f"{name}.pid").unlink(missing_ok=True)
    (FROZEN / name).unlink(missing_ok=True)
    _give_back(int(value["port"]))


def freeze(name: str) -> None:
    """Stop writing, keep reading; what was accepted before is on disk when this returns."""
    FROZEN.mkdir(parents=True, exist_ok=True)
    (FROZEN / name).touch()
    if description(name)["kind"] == "database" and running(name):
        sql(name, "FLUSH TABLES; SET GLOBAL read_only = 1;")
    os.sync()


def status(name: str) -> int:
    """Say running, frozen or stopped."""
    description(name)
    number = running(name)
    word = "stopped" if number is None else "frozen" if (FROZEN / name).exists() else "running"
    print(json.dumps({"name": name, "state": word, "pid": number}))
    return 3 if number is None else 0


def dump(name: str) -> None:
    """Write the database as SQL to the standard output."""
    base = description(name)["database"]["name"]
    done = subprocess.run(
        [
            "mariadb-dump",
            f"--socket={RUN}/{name}.sock",
            "--single-transaction",
            "--skip-dump-date",
            "--order-by-primary",
            base,
        ]
    )
    if done.returncode:
        raise WorkloadError(f"{base} cannot be dumped")


def load(name: str) -> None:
    """Put SQL from the standard input into the database."""
    done = subprocess.run(["mariadb", f"--socket={RUN}/{name}.sock", description(name)["database"]["name"]])
    if done.returncode:
        raise WorkloadError(f"{name} did not take the SQL")


def checksum(name: str) -> None:
    """Write one line per file or table, sorted: equal data give equal text."""
    value = description(name)
    if value["kind"] == "database":
        base = value["database"]["name"]
        tables = sql(name, f"SHOW TABLES FROM `{base}`;").split()
        for table in sorted(tables):
            place = f"`{base}`.`{table}`"
            total, rows = sql(name, f"CHECKSUM TABLE {place};").split()[1], sql(name, f"SELECT COUNT(*) FROM {place};")  # noqa: S608  # our own names
            print(f"{total}  {rows.strip()}  {table}")
        return
    folder = Path(value["folder"])
    for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}")


def sql(name: str, statement: str) -> str:
    """Run a statement as the database's own administrator, over its socket."""
    command = ["mariadb", f"--socket={RUN}/{name}.sock", "--batch", "--skip-column-names"]
    done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise WorkloadError(f"database {name}: {done.stderr.strip()[:200]}")
    return done.stdout


def _database(name: str, folder: Path, value: dict[str, Any]) -> list[str]:
    if not (folder / "mysql").is_dir():
        made = subprocess.run(["mariadb-install-db", f"--datadir={folder}", *_INSTALL], capture_output=True, text=True)
        if made.returncode:
            raise WorkloadError(f"no data folder for {name}: {made.stderr.strip()[-200:]}")
    own = [f"--datadir={folder}", f"--socket={RUN}/{name}.sock", f"--pid-file={RUN}/{name}.own.pid"]
    return ["mariadbd", *_SERVER, *own, f"--port={value['port']}"]


def _grant(name: str, value: dict[str, Any]) -> None:
    base = value["database"]
    password = Path(base["password_file"]).read_text().strip()
    if not password.replace("-", "").replace("_", "").isalnum():
        raise WorkloadError(f"{base['password_file']} holds more than letters, digits, - and _")
    account = f"`{base['user']}`@`%`"
    sql(
        name,
        f"CREATE DATABASE IF NOT EXISTS `{base['name']}`; CREATE USER IF NOT EXISTS {account}; "
        f"ALTER USER {account} IDENTIFIED BY '{password}'; GRANT ALL ON `{base['name']}`.* TO {account};",
    )


def _wait(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    def up() -> bool:
        if process.poll() is not None:
            raise WorkloadError(f"{name} ended while starting: see {RUN}/{name}.log")
        return _answered(port)

    _until(up, f"{name} does not answer on port {port}")


def _until(ready: Any, otherwise: str) -> None:
    end = time.monotonic() + _SECONDS
    while not ready():
        if time.monotonic() > end:
            raise WorkloadError(f"{otherwise} after {_SECONDS:.0f} s")
        time.sleep(0.02)


def _take(port: int) -> None:
    """Let the lab's answerer give the port up, and wait until it is free."""
    TAKEN.mkdir(parents=True, exist_ok=True)
    (TAKEN / str(port)).touch()
    _tell()
    _until(lambda: _free(port), f"port {port} is held by somebody else")


def _give_back(port: int) -> None:
    """Let the lab's answerer have the port again, and wait until it answers there, if that is one of its ports."""
    (TAKEN / str(port)).unlink(missing_ok=True)
    _tell()
    if port in _probe_ports():
        _until(lambda: _answered(port), f"nobody answers the lab's probes on port {port} again")


def _probe_ports() -> set[int]:
    """The ports on which this host or server answers probes while no workload has them; none without an answerer."""
    file = RUN / "answer.pid"
    if file.exists():
        command = Path(f"/proc/{int(file.read_text())}/cmdline")
        words = command.read_text().split("\0") if command.exists() else []
        return {int(word) for word in words if word.isdigit()}
    first = RUN / "probe_ports"
    return {int(word) for word in first.read_text().split()} if first.exists() else set()


def _tell() -> None:
    """Let whoever answers the lab's probes look again at which ports are taken."""
    if (RUN / "answer.pid").exists():
        os.kill(int((RUN / "answer.pid").read_text()), signal.SIGHUP)
    elif SERVER.is_dir():
        file = SERVER / "answer"
        first = RUN / "probe_ports"  # what the server answered on before any workload took a port
        if not first.exists():
            first.write_text(
                file.read_text()
                if file.exists()
                else os.environ.get("ONEFOLD_PROBE_PORTS", "25 443 3306 5432 8080 9000")
            )
        taken = {int(entry.name) for entry in TAKEN.iterdir()} if TAKEN.exists() else set()
        new = file.with_name(".answer.new")
        new.write_text(" ".join(str(one) for one in sorted({int(word) for word in first.read_text().split()} - taken)))
        new.rename(file)


def _answered(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  # only to see whether it is free
        except OSError:
            return False
    return True


def main(words: list[str]) -> int:
    """Do what the words say."""
    RUN.mkdir(parents=True, exist_ok=True)
    verbs = {
        "start": start,
        "stop": stop,
        "freeze": freeze,
        "status": status,
        "dump": dump,
        "load": load,
        "checksum": checksum,
    }
    try:
        if words == ["define"]:
            define(sys.stdin.read())
        elif words == ["list"]:
            print("\n".join(names()))
        elif len(words) == 2 and words[0] == "describe":
            print(json.dumps(description(words[1]), ensure_ascii=False))
        elif len(words) == 2 and words[0] in verbs:
            return verbs[words[0]](words[1]) or 0
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (WorkloadError, OSError, ValueError) as error:
        print(f"onefold-service: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
