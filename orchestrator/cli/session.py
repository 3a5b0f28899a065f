"""What every verb shares: where the project is, how to print, whether to ask."""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import click

COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}


@dataclass
class Session:
    """One call of the command."""

    folder: str
    as_json: bool
    yes: bool
    quiet: bool = False
    started: float = field(default_factory=time.monotonic)
    last_tick: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> Path:
        """The project folder, absolute."""
        return Path(self.folder).expanduser().resolve()

    def say(self, text: str = "") -> None:
        """A line for people; silent under --json."""
        if not self.as_json:
            click.echo(text, color=colour_wanted())

    def progress(self, text: str) -> None:
        """A line about work under way, on standard error with the seconds since the start."""
        if not self.quiet:
            click.echo(f"[{time.monotonic() - self.started:6.1f} s] {text}", err=True)

    def ticker(self, text: str) -> None:
        """As progress, at most once a second: for work that reports hundreds of small steps."""
        if time.monotonic() - self.last_tick >= 1:
            self.last_tick = time.monotonic()
            self.progress(text)

    def result(self, schema: str, body: dict[str, Any]) -> None:
        """The one JSON object of a verb; nothing when people read."""
        if self.as_json:
            click.echo(json.dumps({"schema": f"onefold/{schema}", **body}, ensure_ascii=False, indent=1))

    def findings(self, findings: Iterable[Any], show_passes: bool = False) -> None:
        """Findings, one line each, failures first."""
        order = {"fail": 0, "unknown": 1, "pass": 2}
        for finding in sorted(findings, key=lambda f: (order[f.result], f.subject)):
            if finding.result != "pass" or show_passes:
                mark = click.style(f"{finding.result:7}", fg=COLOURS[finding.result])
                self.say(f"  {mark} {str(finding).replace(f' {finding.result}:', ':', 1)}")

    def table(self, rows: Sequence[Sequence[Any]], head: Sequence[str] = ()) -> None:
        """Columns padded to their widest cell; Chinese characters count double."""
        texts = [[str(cell) for cell in row] for row in ([head] if head else []) + list(rows)]
        if not texts:
            return
        widths = [max(_width(row[i]) for row in texts) for i in range(len(texts[0]))]
        for number, row in enumerate(texts):
            line = "  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(row)).rstrip()
            self.say(click.style(line, bold=True) if head and not number else line)

    def confirm(self, question: str) -> None:
        """Ask before something changes; --yes answers. Raises click.Abort on no, or when nobody can be asked."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise click.ClickException(f"{question} Nobody is there to answer: run it with --yes")
        click.confirm(question, abort=True)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in click.unstyle(text))


def colour_wanted() -> bool | None:
    """False when NO_COLOR is set; None lets the terminal decide."""
    return False if os.environ.get("NO_COLOR") else None
