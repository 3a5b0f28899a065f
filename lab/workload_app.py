"""onefold-workload FILE: one workload of the lab as a small real service, described by a JSON file.

`web` and `files` serve a folder over HTTP, and the rows of their database when they have one; `mail` takes messages
by a small part of SMTP into a spool folder. While /run/onefold/frozen/NAME exists nothing is written. Port 443 is plain
HTTP: there are no certificates in the lab. Runs with the machine's own Python, on hosts and in cloud servers alike.

    GET /health            {"service", "files", "rows", "frozen"}; 503 when its database does not answer
    GET /saw               NAME ip:port saw PEER
    GET /files/PATH        a file; PUT writes it
    GET /rows              the table `ledger`, newest first, at most 100; POST {"unit", "subject", "amount"} adds a row
"""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FROZEN = Path("/run/onefold/frozen")
_MOST = 10_000_000


class Broken(Exception):  # noqa: N818  # this program also runs where the rest of the project is not
    """The database does not answer."""


class Workload:
    """What the JSON file says, and what is done with it."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.name = str(description["name"])
        self.title = str(description.get("title") or self.name)
        self.kind = str(description["kind"])
        self.port = int(description["port"])
        self.folder = Path(description["folder"])
        self.database: dict[str, Any] | None = description.get("database")

    @property
    def frozen(self) -> bool:
        """Whether nothing may be written."""
        return (FROZEN / self.name).exists()

    def files(self) -> list[str]:
        """Return all files of the folder, relative and sorted."""
        return sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file())

    def file(self, path: str) -> Path | None:
        """Return the file of a request, or None when it points out of the folder."""
        found = (self.folder / path).resolve()
        return found if found.is_relative_to(self.folder.resolve()) else None

    def sql(self, statement: str) -> str:
        """Run a statement by the client program; its password comes from a 0600 file, never from the command line."""
        base = self.database or {}
        command = [
            "mariadb", f"--defaults-extra-file={base['client_file']}", "--batch", "--skip-column-names",
            "--connect-timeout=2", f"--host={base['host']}", f"--port={base['port']}", str(base["name"]),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=5)
        except subprocess.TimeoutExpired as error:
            raise Broken("no answer in 5 s") from error
        if done.returncode:
            raise Broken((done.stderr.strip().splitlines() or ["no reason given"])[-1][:200])
        return done.stdout

    def health(self) -> dict[str, Any]:
        """Return what the service holds."""
        rows = int(self.sql("SELECT COUNT(*) FROM ledger;")) if self.database else None
        return {"service": self.name, "files": len(self.files()), "rows": rows, "frozen": self.frozen}


def quoted(value: object) -> str:
    """Return a value as an SQL string: hexadecimal, so that nothing in it means anything."""
    return f"CONVERT(0x{str(value).encode().hex() or '00'} USING utf8mb4)"


class Web(BaseHTTPRequestHandler):
    """HTTP over the workload."""

    workload: Workload
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_GET(self) -> None:
        """Serve health, greeting, rows and files."""
        try:
            self._get()
        except Broken as error:
            self._send(503, {"error": f"database: {error}"})

    def _get(self) -> None:
        if self.path == "/health":
            self._send(200, self.workload.health())
        elif self.path == "/saw":
            here, peer = self.connection.getsockname(), self.client_address
            self._send(200, f"{self.workload.title} {here[0]}:{here[1]} saw {peer[0]}\n".encode())
        elif self.path == "/rows" and self.workload.database:
            said = self.workload.sql(
                "SELECT id, unit, subject, amount, booked_on FROM ledger ORDER BY id DESC LIMIT 100;"
            )
            self._send(200, [line.split("\t") for line in said.splitlines()])
        else:
            file = self.workload.file(self.path.removeprefix("/files/"))
            found = file is not None and file.is_file()
            self._send(200 if found else 404, file.read_bytes() if file and found else b"not here\n")

    def do_POST(self) -> None:
        """Add a row."""
        try:
            row = json.loads(self._body())
            values = ", ".join(quoted(row[name]) for name in ("unit", "subject", "amount"))
            if not self._refused():
                columns = "unit, subject, amount, booked_on"
                self.workload.sql(f"INSERT INTO ledger ({columns}) VALUES ({values}, CURDATE());")  # noqa: S608  # quoted
                self._send(201, {"added": True})
        except (ValueError, KeyError, TypeError) as error:
            self._send(400, {"error": str(error)})
        except Broken as error:
            self._send(503, {"error": f"database: {error}"})

    def do_PUT(self) -> None:
        """Write a file."""
        body, file = self._body(), self.workload.file(self.path.removeprefix("/files/"))
        if file is None:
            self._send(400, {"error": "the path leads out of the folder"})
        elif not self._refused():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            self._send(201, {"written": len(body)})

    def _refused(self) -> bool:
        if self.workload.frozen:
            self._send(503, {"error": "frozen: nothing is written now"})
        return self.workload.frozen

    def _body(self) -> bytes:
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MOST))

    def _send(self, code: int, value: object) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002
        """Keep no log of requests: probes would fill it."""


class Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP (RFC 5321) to take a message into the spool."""

    workload: Workload
    timeout = 20

    def handle(self) -> None:
        """Speak until the client leaves."""
        here = self.connection.getsockname()
        with contextlib.suppress(OSError):
            self._say(f"220 {self.workload.title} {here[0]}:{here[1]} saw {self.client_address[0]}")
            while line := self.rfile.readline(1000):
                verb = line.decode(errors="replace").strip().upper()
                if verb == "DATA":
                    self._take()
                elif verb == "QUIT":
                    return self._say("221 bye")
                else:
                    known = verb.startswith(("HELO", "EHLO", "MAIL FROM:", "RCPT TO:", "NOOP", "RSET"))
                    self._say("250 ok" if known else "500 not understood")
        return None

    def _take(self) -> None:
        self._say("354 end with a dot")
        lines = []
        while (line := self.rfile.readline(100_000)) not in (b".\r\n", b".\n", b""):
            lines.append(line)
        if self.workload.frozen:
            return self._say("451 frozen: try later")
        file = self.workload.folder / f"{time.time_ns()}-{os.getpid()}.eml"
        file.write_bytes(b"".join(lines))
        return self._say(f"250 taken as {file.name}")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class _WebServer(ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without asking a name service for the host's own name, as the library does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "lab", self.server_address[1]


def main(file: str) -> None:
    """Serve until killed."""
    workload = Workload(json.loads(Path(file).read_text()))
    workload.folder.mkdir(parents=True, exist_ok=True)
    Web.workload = Mail.workload = workload
    address = ("0.0.0.0", workload.port)  # noqa: S104  # inside the host's own namespace
    server = _Server(address, Mail) if workload.kind == "mail" else _WebServer(address, Web)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
