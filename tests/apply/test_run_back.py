"""What takes a run back, what turns it forward again, and what a resume is held to."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.apply.crew import Crew
from orchestrator.apply.outcome import Checked, NoProber
from orchestrator.apply.resume import direction_of, resume
from orchestrator.apply.rollback import rollback
from orchestrator.apply.run import carry_on, forward_again
from orchestrator.errors import (
    ApprovalError,
    StaleError,
    SurpriseError,
)
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.records import approvals
from orchestrator.records.runs import Records
from tests.apply.memory_world import (
    OPTIONS,
    START,
    World,
    begun,
    plan,
    policy,
)


class Suspicious:
    """A prober whose packets go astray once a port is there."""

    def check(self, estate: Estate, /) -> Checked:
        bad = "cz3/up0/198.18.240.9/30" in estate.interfaces
        found = (Finding(subject="probe", result="fail", what="citizen reaches cz-db"),) if bad else ()
        return Checked(probes=10, findings=found)


def test_a_surprise_takes_the_batch_back_and_stops(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    with pytest.raises(SurpriseError) as caught:
        carry_on(run, policy(), world, Suspicious(), records, OPTIONS)
    assert str(caught.value) == (
        "after step-cz2, step-cz3: citizen reaches cz-db; the batch was taken back: "
        "look there, then resume or roll back"
    )
    assert records.status(run.name).done == ("step-cz1",)
    assert direction_of(run, records) == "forward"
    assert world.rows["cz2"] == {k: r for k, r in START.interfaces.items() if r.device == "cz2"}


def test_the_way_back_undoes_in_reverse_order(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    carry_on(run, policy(), world, NoProber(), records, OPTIONS)
    world.order.clear()
    records.journal.record(run.name, "intent", direction="back")
    assert direction_of(run, records) == "back"
    crew = Crew(run, world, records.journal, "back", OPTIONS, lambda _: None)
    for batch in reversed(run.plan.batches()):
        crew.undo_batch([run.plan.step_of[name] for name in batch])
    assert [world.order[0], {*world.order[1:3]}, world.order[3]] == ["step-mz1", {"step-cz2", "step-cz3"}, "step-cz1"]
    assert crew.estate.digest == START.digest
    assert records.status(run.name).state == "partly applied", "nobody has compared the world with the snapshot"
    records.journal.record(run.name, "undone", direction="back")
    assert records.status(run.name).state == "rolled back"


def test_a_run_that_goes_forward_again_is_not_turned_round_by_its_resume(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    records.journal.record(run.name, "intent", direction="back")
    assert forward_again(run, records, OPTIONS) == run
    assert direction_of(run, records) == "forward"
    events = len(records.journal.events(run.name))
    forward_again(run, records, OPTIONS)
    assert len(records.journal.events(run.name)) == events


def test_a_way_back_without_its_snapshot_is_never_told_as_the_same_world(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    with pytest.raises(StaleError, match=r"snapshot\.json is not what the journal says was read"):
        rollback(run, World(), NoProber(), records, OPTIONS)
    assert records.status(run.name).state == "partly applied"


KEY = Ed25519PrivateKey.generate()
APPROVERS = {
    "required": ["security_admin"],
    "people": [{"name": "zhao", "role": "security_admin", "public_key": approvals.public_text(KEY)}],
}


def test_a_resume_goes_on_under_the_policy_and_the_signatures_it_was_begun_with(tmp_path: Path) -> None:
    records = Records(tmp_path)
    asking = policy(approvals=APPROVERS)
    for allowed, signs, error, message in (
        (asking, True, None, ""),
        (
            policy(version="2"),
            True,
            StaleError,
            "was approved under policy 1 .* the folder holds 2 .*: put that one back",
        ),
        (asking, False, ApprovalError, "is not signed by security_admin"),
        (policy(), False, ApprovalError, "policy 1 asks nobody to sign: name the roles under approvals.required"),
    ):
        of = asking if error is StaleError else allowed
        mine = plan().model_copy(update={"policy_digest": of.digest})
        signed = (approvals.sign(mine, of, "zhao", KEY),) if signs else ()
        run = records.begin(mine, START, "li", rehearsal=True, signed=signed)
        if error is None:
            assert resume(run, allowed, World(), NoProber(), records, OPTIONS).left == ()
            continue
        world = World()
        with pytest.raises(error, match=message):
            resume(run, allowed, world, NoProber(), records, OPTIONS)
        assert world.order == []
