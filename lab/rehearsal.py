"""The lab as a run's world: its packets, its carrier, its servers' host keys. The seams of `orchestrator.apply`."""

from __future__ import annotations

from lab import network
from lab.comparison import compare
from lab.openstack.node import host_key
from orchestrator.apply.outcome import Checked
from orchestrator.model.cloud import Server
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding


class LabProber:
    """Real packets between every pair of points on every probe port, held to the prediction."""

    def check(self, estate: Estate) -> Checked:
        """Compare; each packet that did otherwise is a finding. Raises LabError when a probe could not be sent."""
        found = compare(estate)
        wrong = [
            Finding(subject="live check", result="fail", what=str(one), fix="look at that device before going on")
            for one in found.differences
        ]
        if not found.equal and not wrong:
            what = f"{found.answered} of {found.packets} packets answered: a check needs some of both"
            wrong = [Finding(subject="live check", result="fail", what=what, fix="is the lab up?")]
        return Checked(probes=found.packets, findings=tuple(wrong))


class LabCarrier:
    """Takes a released circuit's cable away, and puts it back."""

    def release(self, link: str) -> None:
        """The circuit ends."""
        network.release(link)

    def restore(self, link: str) -> None:
        """The circuit is back."""
        network.restore(link)


def server_key(server: Server) -> str:
    """The public host key of a server, from its own files and not from the network."""
    return host_key(server.name)
