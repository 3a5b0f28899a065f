"""First data of the lab's workloads: made from a name alone, so that every run starts with the same bytes."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FILES, MESSAGES, ROWS = 300, 200, 5000
_AT_ONCE = 500
_SUBJECTS = ("基本支出", "项目支出", "转移支付")


def fill(target: Path, name: str, mail: bool = False) -> None:
    """Write the first files of a workload: reports in folders by year, or messages in a spool."""
    chance = _chance(name)
    for number in range(MESSAGES if mail else FILES):
        file = target / (f"{number:06d}.eml" if mail else f"{2017 + number % 9}/report-{number:04d}.txt")
        body = chance.randbytes(chance.randrange(100, 4000)).hex()
        sender = f"From: desk{number % 7}@mz.wangchao.example\r\nSubject: message {number}\r\n\r\n"
        head = sender if mail else f"{name} {number}\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"{head}{body}\r\n".encode())


class Database:
    """The first rows of one database, and its filled data folder: making one takes seconds, copying it does not."""

    def __init__(self, kept: Path, name: str) -> None:
        """`kept` is the folder in which filled data folders are kept; one per content and server version."""
        self.sql = "".join(_sql(name))
        made_of = f"{server_version()}\n{self.sql}"
        self._kept = kept / hashlib.sha256(made_of.encode()).hexdigest()[:16]

    def copy_to(self, folder: Path) -> bool:
        """Put the kept data folder there, and say whether there was one."""
        if self._kept.is_dir():
            shutil.copytree(self._kept, folder)
        return self._kept.is_dir()

    def keep(self, folder: Path) -> None:
        """Keep a copy of the data folder of a stopped database."""
        new = self._kept.with_name(f".{self._kept.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(folder, new)
        new.rename(self._kept)


@cache
def server_version() -> str:
    """Return what the database server's program says of itself."""
    return subprocess.run(["mariadbd", "--version"], capture_output=True, text=True, check=True, timeout=30).stdout


def _sql(name: str) -> Iterator[str]:
    chance = _chance(name)
    yield (
        "CREATE TABLE ledger (id INT PRIMARY KEY AUTO_INCREMENT, unit VARCHAR(40) NOT NULL, "
        "subject VARCHAR(80) NOT NULL, amount DECIMAL(12,2) NOT NULL, booked_on DATE NOT NULL) CHARACTER SET utf8mb4;\n"
    )
    yield "CREATE TABLE units (code CHAR(4) PRIMARY KEY, name VARCHAR(40) NOT NULL) CHARACTER SET utf8mb4;\n"
    units = [f"{number:04d}" for number in range(1, 41)]
    named = ",".join(f"('{unit}','预算单位{unit}')" for unit in units)
    yield f"INSERT INTO units VALUES {named};\n"  # noqa: S608  # our own values
    for first in range(0, ROWS, _AT_ONCE):
        rows = ",".join(_row(chance, units) for _ in range(first, min(first + _AT_ONCE, ROWS)))
        yield f"INSERT INTO ledger (unit, subject, amount, booked_on) VALUES {rows};\n"  # noqa: S608  # our own values


def _row(chance: random.Random, units: list[str]) -> str:
    amount = chance.randrange(100, 10**8) / 100
    day = f"20{chance.randrange(17, 26)}-{chance.randrange(1, 13):02d}-01"
    return f"('{chance.choice(units)}','{chance.choice(_SUBJECTS)}',{amount:.2f},'{day}')"


def _chance(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311  # test data, the same in every run
