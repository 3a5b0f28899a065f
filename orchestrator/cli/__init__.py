"""The command line: parses, calls the pipeline, prints, exits. One file per verb, imported only when asked for.

This is only its door, there at once: what it opens takes a while to import, and may be interrupted by then.
"""

import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code; errors and an interrupt are one line on standard error."""
    try:
        from orchestrator.cli.group import run

        return run(arguments)
    except KeyboardInterrupt:
        print("onefold: stopped by you", file=sys.stderr)
        return INTERRUPTED
