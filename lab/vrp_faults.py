"""Faults that a test orders from the VRP emulator, and the control socket over which it does.

The socket is ``control`` in the emulator's state folder: one JSON object in, one JSON object out, per connection.
"""

import json
import socket
from pathlib import Path
from typing import Any

from pydantic import Field

from orchestrator.errors import LabError
from orchestrator.model.base import Noun

CONTROL = "control"


class Faults(Noun):
    """What goes wrong, until other faults are ordered. A drop or a power loss happens once."""

    reject: dict[str, str] = Field(default_factory=dict)
    """Line → message: the line is refused with this message, as the box would refuse it."""
    drop_before: str | None = None
    """The session ends when this line arrives; the line is not carried out."""
    drop_after: str | None = None
    """The line is carried out and the session ends before an answer is sent."""
    power_loss_before: str | None = None
    """The box loses power when this line arrives: every session ends, the saved configuration comes back."""
    delay_seconds: float = Field(default=0.0, ge=0.0)
    """Every answer waits this long."""


def control(state: Path, request: dict[str, Any], seconds: float = 5.0) -> dict[str, Any]:
    """Send one request (``{"faults": {...}}``, ``{"do": "power-loss"}`` or ``{"do": "status"}``) to an emulator.

    Raises LabError when the emulator with this state folder does not answer within `seconds` or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(state / CONTROL))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = connection.makefile("rb").readline()
    except OSError as error:
        raise LabError(f"{state / CONTROL}: {error}: start the VRP emulator with --state {state}") from error
    if not answer:
        raise LabError(f"{state / CONTROL}: no answer: look at the output of the VRP emulator")
    result: dict[str, Any] = json.loads(answer)
    if "error" in result:
        raise LabError(f"{state / CONTROL}: {result['error']}: correct the request")
    return result


def inject(state: Path, faults: Faults) -> None:
    """Order faults from the emulator with this state folder; `Faults()` ends them."""
    control(state, {"faults": faults.plain()})


def power_loss(state: Path) -> None:
    """Cut the power of the emulated box: sessions end, what was not saved is gone."""
    control(state, {"do": "power-loss"})
