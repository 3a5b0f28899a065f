"""Every reachable state of a plan held to every rule and every registered flow. Only this room mints a ProvenPlan."""

from orchestrator.forwarding.predict import predict
from orchestrator.proof.proven import ProvenPlan, prove
from orchestrator.proof.replan import Reordered, reordered
from orchestrator.proof.second_walk import Rechecked, recheck
from orchestrator.proof.states import State, states
from orchestrator.proof.verdict import Verdict
from orchestrator.proof.verify import verify

__all__ = [
    "ProvenPlan",
    "Rechecked",
    "Reordered",
    "State",
    "Verdict",
    "predict",
    "prove",
    "recheck",
    "reordered",
    "states",
    "verify",
]
