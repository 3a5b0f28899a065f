"""What routers are told -> what they do: routing tables as the control plane computes them, and the engine's arrays."""

from orchestrator.forwarding.control.arrays import Plumbing, ZoneAt, plumb
from orchestrator.forwarding.control.check import DesignFaultError, check_design
from orchestrator.forwarding.control.compute import Result, compute
from orchestrator.forwarding.control.design import Design, Router

__all__ = [
    "Design", "DesignFaultError", "Plumbing", "Result", "Router", "ZoneAt", "check_design", "compute", "plumb",
]  # fmt: skip
