"""Small whole projects for the tests of the command: the example of `onefold init` with one system to switch off.

Their plan has one real step, so that planning, proving and signing take no time worth speaking of.
"""

from pathlib import Path

from openpyxl import load_workbook

from orchestrator.intake.example import write_example
from orchestrator.records.approvals import make_key

SYSTEM = "990102-XX-0001"
PEOPLE = {"plan-li": "planner", "sys-wu": "system_admin", "sec-an": "security_admin", "aud-he": "audit_admin"}
SECOND_HOST = (
    "{name: pc2, organisation: office, site: room, zone: common, address: 198.18.2.10/24, gateway: 198.18.2.1}"
)
FLOW = (
    f'flows:\n  - {{code: F-1, purpose: reports, source: "host:pc2", destination: "workload:{SYSTEM}/web", '
    "port: 8080, approved_by: office}"
)


def replaced(path: Path, *changes: tuple[str, str]) -> None:
    """Change a text file; each old text must stand in it."""
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text, f"{old!r} is not in {path.name}: the test would change nothing"
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")


def one_step(folder: Path) -> Path:
    """A project whose plan is one step: the example's only system is a zombie that runs on pc1 and is switched off."""
    write_example(folder)
    replaced(
        folder / "topology.yaml",
        ("workloads: []", f"workloads:\n  - {{system: {SYSTEM}, name: web, kind: web, place: pc1, port: 8080}}"),
        ('b: "pc1:eth0"}', 'b: "pc1:eth0"}\n  - {name: lan1, a: "r1:lan1", b: "pc2:eth0"}'),
        ("role: customer_edge", "role: customer_edge, management: 127.0.0.1"),
        ("gateway: 198.18.1.1}", f"gateway: 198.18.1.1, management: 127.0.0.1}}\n  - {SECOND_HOST}"),
        ('ports: ["r1:lan0"]', 'ports: ["r1:lan0", "r1:lan1"]'),
    )
    second = "interface lan1\n ip address 198.18.2.1/24\nexit\n!\ninterface lan0"
    replaced(folder / "configs/r1/frr.conf", ("interface lan0", second))
    set_disposition(folder, "关停")
    return folder


def set_disposition(folder: Path, word: str) -> None:
    """Write the system's disposition into the census."""
    set_cell(folder, "处置意见", word)


def set_cell(folder: Path, title: str, value: str) -> None:
    """Write a cell of the only system's row, found by its column's title."""
    book = load_workbook(folder / "census.xlsx")
    sheet = book["F1"]
    column = next(cell.column for cell in sheet[1] if cell.value == title)
    sheet.cell(2, column).value = value
    book.save(folder / "census.xlsx")


def with_people(folder: Path) -> Path:
    """The project with administrators in its policy; their private keys lie in `keys/NAME.pem`."""
    (folder / "keys").mkdir()
    rows = [
        f'    - {{name: {name}, role: {role}, public_key: "{make_key(key_of(folder, name))}"}}'
        for name, role in PEOPLE.items()
    ]
    with (folder / "policy.yaml").open("a", encoding="utf-8") as policy:
        policy.write(
            "approvals:\n  required: [system_admin, security_admin, audit_admin]\n  people:\n" + "\n".join(rows) + "\n"
        )
    return folder


def key_of(folder: Path, name: str) -> Path:
    """Where somebody's private key lies."""
    return folder / "keys" / f"{name}.pem"


def with_world(folder: Path) -> Path:
    """The project as one with a real world, at addresses where nobody who is known answers."""
    replaced(folder / "onefold.yaml", ("world: none", "world: real"))
    key = folder / "keys" / "ssh.pem"
    make_key(key)
    known = folder / "known_hosts"
    known.write_text("", "utf-8")
    access = folder / "access.json"
    access.touch(mode=0o600)
    access.write_text(f'{{"ssh_key": "{key}", "known_hosts": "{known}"}}', "utf-8")
    return folder
