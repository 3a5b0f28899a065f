"""The examples of docs/forwarding.md run, one after the other, and print what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_examples_of_the_page_print_what_the_page_says() -> None:
    page = (ROOT / "docs" / "forwarding.md").read_text("utf-8")
    parts, texts = (re.findall(rf"```{kind}\n(.*?)```", page, re.S) for kind in ("python", "text"))
    assert len(parts) == len(texts) == 2
    code, printed = "".join(parts), "".join(texts)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stderr, done.stdout) == ("", printed)
