"""The carrier's part: a released circuit's cable is taken away, and laid again on the way back."""

from __future__ import annotations

from lab.network import record, wiring
from lab.network.layout import Cable, layout
from orchestrator.errors import LabError


def release(link: str) -> None:
    """Take a link's cable away, as its carrier does when the circuit is released; done already is done."""
    wiring.disconnect(_saved_cable(link)[0])


def restore(link: str) -> None:
    """Put a released link's cable back as it was at `up`; done already is done."""
    cable, cloud_nodes = _saved_cable(link)
    if not wiring.connected(cable):
        wiring.connect([cable], cloud_nodes)


def _saved_cable(link: str) -> tuple[Cable, set[str]]:
    plan = layout(record.saved()[0])
    if link not in plan.cables:
        raise LabError(f"the lab was raised without a cable {link}: the links table says which there are")
    return plan.cables[link], set(plan.provider_ports)
