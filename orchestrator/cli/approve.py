"""onefold approve: the signature of one of the three administrators over a plan."""

from pathlib import Path

import click

from orchestrator.cli.common import open_and_read, plan_file, state_folder
from orchestrator.cli.session import Session
from orchestrator.errors import OnefoldError
from orchestrator.pipeline import opened, person, proven
from orchestrator.records import approvals
from orchestrator.records.audit import Audit


@click.command(epilog="Example: onefold -C DIR approve plan.json --as zhou.an --key security.key")
@plan_file
@click.option("--as", "name", required=True, help="Your name, as policy.yaml lists it.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Your private key file.")
@click.pass_obj
def command(session: Session, plan_file: Path, name: str, key: Path) -> int:
    """Sign a plan: an Ed25519 signature over its seal and the policy. A plan that is not proved cannot be signed."""
    plan, who = opened(plan_file), person(name)
    project, reading = open_and_read(session)
    audit = Audit(state_folder(project) / "audit.jsonl")
    try:
        verdict = proven(reading, plan, session.ticker).verdict
        approval = approvals.sign(plan, reading.policy, who, approvals.read_key(key))
    except OnefoldError as error:
        audit.append(who, "approve", "refused", subject=plan.hash, detail={"error": str(error)})
        raise
    # the trail first: a signature of which it knows nothing must not be there
    audit.append(who, "approve", "done", subject=plan.hash, detail={"role": approval.role})
    try:
        signed = approvals.add(approvals.file_of(plan_file), approval)
    except OSError as error:
        audit.append(who, "approve", "failed", subject=plan.hash, detail={"error": str(error)})
        raise
    have = {each.role for each in signed}
    missing = [role for role in reading.policy.approvals.required if role not in have]
    session.say(f"{who} ({approval.role}) signed plan {plan.hash[:12]}: {verdict.states} states proved")
    session.say(
        f"still to sign: {', '.join(missing)}"
        if missing
        else f"complete; next: onefold -C {session.folder} apply {plan_file}"
    )
    session.result("approve/1", {"seal": plan.hash, "person": who, "role": approval.role, "missing": missing})
    return 0
