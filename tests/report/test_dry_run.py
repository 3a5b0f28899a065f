"""The dry-run report: whole, self-contained, the same for the same inputs, and honest about what fails."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from network_models.district import now
from orchestrator.cli import main
from orchestrator.design import design
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan
from orchestrator.plan import build
from orchestrator.proof import Verdict, verify
from orchestrator.report.dry_run import figures, render
from tests.cli.small import one_step, replaced, set_cell
from tests.proof import plans
from tests.proof.test_verify import replace_entry
from tests.report.page import Page, drawings, labels
from tests.whole import designed, planned, policy, proved

HOSTILE = """<script>alert("1")</script>'&lt;<img src=x onerror=alert(2)>]]>"""
HEADINGS = {
    "什么时候动什么、为什么": "What moves when, and why",
    "系统处置": "Systems",
    "设计决定": "Design decisions",
    "规则与业务流": "Rules and registered flows",
    "区域互访矩阵：之前": "Zone matrix: before",
    "区域互访矩阵：之后": "Zone matrix: after",
    "拓扑：之前": "Topology: before",
    "拓扑：之后": "Topology: after",
    "设备配置差异": "Configuration changes by device",
    "云资源差异": "Cloud changes by tenant",
    "风险与待办": "Risks and open ends",
    "普查发现": "What the census found",
    "证明所依据的未核实事实": "Unverified facts the proof rests on",
}


@cache
def district() -> str:
    return render(now(), designed(), planned(), proved(), policy(), designed().findings)


@cache
def district_page() -> Page:
    return Page(district())


def of(plan: Plan, verdict: Verdict) -> Page:
    """The report of a small plan over the district."""
    return Page(render(now(), designed(), plan, verdict, plans.policy(), ()))


def test_the_page_needs_nothing_from_outside() -> None:
    page = district_page()
    assert page.asks_outside() == []
    assert (page.errors, page.unclosed) == ([], [])
    addresses = set(re.findall(r"https?:[^\s\"'<>]*", district()))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a language, which nobody fetches"


@pytest.mark.parametrize(
    "planted",
    [
        "<script>1</script>",
        "<img src='x'>",
        "<a href='x'>a</a>",
        "<p onclick='x'>a</p>",
        "<style>@import 'x'</style>",
        "<p style='background:url(x)'>a</p>",
    ],
)
def test_what_is_planted_into_the_page_is_found(planted: str) -> None:
    assert Page(district().replace("<main>", f"<main>{planted}")).asks_outside() != []


def test_same_inputs_give_the_same_bytes() -> None:
    assert render(now(), designed(), planned(), proved(), policy(), designed().findings) == district()


def test_same_inputs_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    folder = one_step(tmp_path / "office")
    pages = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.html"
        call = [
            sys.executable,
            str(Path(__file__).parents[2] / "cli.py"),
            "-C",
            str(folder),
            "report",
            "--out",
            str(out),
        ]
        subprocess.run(
            call, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed, "ONEFOLD_AUTHOR": "li"}
        )
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_every_step_decision_rule_and_flow_is_told() -> None:
    said = district_page().words
    for step in planned().steps:
        assert step.title in said, step.name
        assert step.why in said, step.name
    for decision in designed().decisions:
        assert decision.choice in said, decision.subject
    subjects = {finding.subject for finding in proved().findings}
    assert {"R1", "R3", "R27", "F-001", "F-014"} < subjects
    cells = set(re.findall(r"<td><b>([^<]+)</b></td><td><b class=\"mark (?:pass|fail|unknown)\">", district()))
    assert subjects <= cells
    assert planned().hash in said
    assert all(str(wave.night) in said for wave in planned().waves)


def test_every_heading_stands_in_both_languages() -> None:
    text = district()
    for chinese, english in HEADINGS.items():
        assert f'<span class="zh">{chinese}</span><span class="sep"> / </span><span class="en">{english}</span>' in text


@pytest.mark.parametrize("language", ["zh", "en", "both"])
def test_it_opens_in_the_language_that_is_asked_for(language: str, tmp_path: Path) -> None:
    folder, out = one_step(tmp_path / "office"), tmp_path / "report.html"
    replaced(folder / "onefold.yaml", ("report: {language: both}", "report: {language: en}"))

    def opens_in(*more: str) -> list[str | None]:
        assert main(["--quiet", "-C", str(folder), "report", "--out", str(out), *more]) == 0
        page = Page(out.read_text("utf-8"))
        return [attributes["id"] for tag, attributes in page.elements if tag == "input" and "checked" in attributes]

    assert opens_in("--language", language) == [language]
    assert opens_in() == ["en"]


def test_the_environment_chooses_the_language_before_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = one_step(tmp_path / "office"), tmp_path / "report.html"
    monkeypatch.setenv("ONEFOLD_LANGUAGE", "zh")
    assert main(["--quiet", "-C", str(folder), "report", "--out", str(out)]) == 0
    assert 'id="zh" checked' in out.read_text("utf-8")


def test_the_drawings_are_well_formed_and_show_what_changes() -> None:
    before, after = drawings(district())
    devices = {device.name for device in now().devices.values() if device.kind == "router"}
    for drawing in (before, after):
        assert devices <= set(labels(drawing).split())
    assert "service-web" in labels(after)
    assert "service-web" not in labels(before)
    with pytest.raises(ElementTree.ParseError):
        drawings(district().replace("<rect ", "<rect & ", 1))


def test_the_figures_are_those_of_plan_and_estates() -> None:
    numbers = figures(now(), planned().target(now()), planned())
    rents = [link.yearly_rent or 0 for link in now().links.values() if link.name in ("cz-line", "mz-line", "mz-inet")]
    assert (numbers.circuits_released, numbers.yearly_rent_saved) == (3, sum(rents))
    assert (numbers.systems_moved, numbers.sites_folded, numbers.egresses_consolidated) == (2, 5, 1)
    assert numbers.systems_closed == 3
    assert (numbers.steps, numbers.waves) == (len(planned().steps), len(planned().waves))
    assert f"{sum(rents):,}" in district_page().words


def test_a_system_that_the_plan_leaves_out_is_not_counted() -> None:
    """Of what runs where nobody knows, the census says what is to become of it, and the plan cannot do it."""
    unknown = ("990102-CZ-0001", "990102-MZ-0002")
    rows = [row for table in now().tables().values() for row in table.values()]
    left_out = [row for row in now().workloads.values() if row.system in unknown]
    estate = Estate.of(*(row for row in rows if row not in left_out))
    plan = build(estate, design(estate, policy()), policy(), "wangchao", "li")
    numbers = figures(estate, plan.target(estate), plan)
    # the shadow goes with the system into which it would have been merged
    assert (numbers.systems_moved, numbers.systems_closed) == (1, 1)


def test_every_changed_device_shows_its_difference() -> None:
    shown = set(re.findall(r"<summary><b>([^<]+)</b>", district()))
    assert {"pe1", "pe2", "fw1", "cz2", "mz1", "msw1", "cz", "mz"} <= shown
    assert "ip netns" not in "".join(re.findall(r"<summary>.*?</summary>", district()))


def test_names_from_the_census_are_text_never_markup(tmp_path: Path) -> None:
    folder, out = one_step(tmp_path / "office"), tmp_path / "report.html"
    set_cell(folder, "系统名称", HOSTILE)
    written = json.dumps(HOSTILE)  # a double-quoted text means the same in YAML
    replaced(folder / "topology.yaml", ("name: Example Office", f"name: {written}"))
    set_cell(folder, "主管部门", HOSTILE)
    assert main(["--quiet", "-C", str(folder), "report", "--out", str(out)]) == 0
    text = out.read_text("utf-8")
    page = Page(text)
    assert HOSTILE in page.words
    assert page.asks_outside() == []
    assert (page.errors, page.unclosed) == ([], [])
    assert len(drawings(text)) == 2


def test_a_failing_verdict_shows_its_counterexample() -> None:
    bad = replace_entry(first_add=False)
    verdict = verify(now(), bad, plans.policy())
    (finding,) = verdict.failures()
    assert finding.trace is not None
    page = of(bad, verdict)
    assert "✘" in page.words
    assert finding.what in page.words
    assert str(finding.trace.packet) == "tcp 198.18.16.100 -> 198.18.64.10:443"
    way = " → ".join(hop.node for hop in finding.trace.hops)
    assert f"{finding.trace.packet} · {way} · {finding.trace.reason}" in page.words
    good = replace_entry(first_add=True)
    whole = of(good, verify(now(), good, plans.policy()))
    assert str(finding.trace.packet) not in whole.words


def test_a_verdict_that_does_not_know_says_so() -> None:
    from orchestrator.vendors.parsed import Unparsed

    line = Unparsed(device="fw1", file="configs/fw1/nftables.conf", line=7, text="ip saddr 10.0.0.0/8 drop")
    verdict = verify(now(), plans.plan(), plans.policy(), unparsed=(line,))
    page = of(plans.plan(), verdict)
    assert "? 未知 / unknown" in page.words
    assert "configs/fw1/nftables.conf:7" in page.words


def test_the_matrices_do_not_know_what_hangs_on_a_line_that_nobody_could_read(tmp_path: Path) -> None:
    folder, out = one_step(tmp_path / "office"), tmp_path / "report.html"

    def cells() -> list[str]:
        main(["--quiet", "-C", str(folder), "report", "--out", str(out)])
        return re.findall(r'<td class="(open|shut|maybe)"', out.read_text("utf-8"))

    assert cells() == ["open", "open"]
    replaced(folder / "configs/r1/frr.conf", ("hostname r1\n", "hostname r1\nzebra nexthop kernel enable\n"))
    assert cells() == ["maybe", "maybe"]


def test_what_the_proof_does_not_cover_is_told_where_people_decide() -> None:
    whole = plans.policy()
    verdict = verify(now(), plans.plan(), whole)
    assert "未证明" not in of(plans.plan(), verdict).words
    fewer = whole.model_copy(update={"rules": ("R1", "R3")})
    some = plans.plan().model_copy(update={"policy_digest": fewer.digest})
    page = of(some, verify(now(), some, fewer))
    assert "未证明 / not covered" in page.words
    assert "the policy puts R2, R4, " in page.words
