"""A minimal valid project for `onefold init`: one office, one router, one system, ready to be replaced by real ones."""

import os
from ipaddress import IPv4Interface
from pathlib import Path

from openpyxl import Workbook

from orchestrator.errors import ProjectError
from orchestrator.intake.project import PROJECT_FILE
from orchestrator.intake.workbook.forms import FORMS
from orchestrator.model.estate import Estate
from orchestrator.model.network import Device, Interface
from orchestrator.vendors.registry import render_device

_PROJECT = """\
# Where the inputs lie; paths are relative to this folder.
name: example
title: An example
census: census.xlsx
topology: topology.yaml
configurations: configs
policy: policy.yaml
lock: onefold.lock
report: {language: both}
world: none
"""

_TOPOLOGY = """\
# What neither the census nor a device's configuration says.
sites:
  - {name: room, title: Machine room}
organisations:
  - {code: office, name: Example Office, short_name: Office}
devices:
  - {name: r1, kind: router, platforms: [frr], site: room, organisation: office, role: customer_edge}
cabling:
  - {name: lan, a: "r1:lan0", b: "pc1:eth0"}
hosts:
  - {name: pc1, organisation: office, site: room, zone: common, address: 198.18.1.10/24, gateway: 198.18.1.1}
clouds: []
workloads: []
service_names: []
zones:
  vrfs: {}
  segments:
    - {zone: common, ports: ["r1:lan0"]}
"""

_POLICY = """\
# The rule pack: zones, flows, windows, deadlines (in months from t_zero), numbering, approvals.
version: "1"
t_zero: 2017-12-01
planned_from: 2018-01-08
extranet_pool: 198.18.0.0/15
zones:
  - {name: common, kind: common, service_domain: administrative_service_domain}
  - {name: internet, kind: internet}
flows: []
windows:
  - {name: weeknight, weekdays: [0, 1, 2, 3, 4], start: "22:00", end: "05:00"}
numbering:
  autonomous_system: 65000
  pools:
    - {name: sites, prefix: 198.18.32.0/20, length: 24}
    - {name: tenants, prefix: 198.18.136.0/21, length: 24}
    - {name: provider, prefix: 198.18.130.0/23, length: 24}
    - {name: transit, prefix: 198.19.240.0/20, length: 30}
"""

_CENSUS = "census.xlsx"
_ROWS = {"F1": ["990102-XX-0001", "Example system", "Example Office", "否"]}


def write_example(folder: Path) -> list[Path]:
    """Write the project; returns its files.

    Raises ProjectError when the folder holds a project or one of the files already, or cannot be written.
    """
    if (folder / PROJECT_FILE).exists():
        raise ProjectError(f"{folder}: a project is here already: choose another folder, or edit {PROJECT_FILE}")
    texts = {PROJECT_FILE: _PROJECT, "topology.yaml": _TOPOLOGY, "policy.yaml": _POLICY}
    texts |= {f"configs/r1/{file}": text for file, text in render_device(_network(), "r1").items()}
    for name in (*texts, _CENSUS):  # an office that begins has a census of its own
        if os.path.lexists(folder / name):
            raise ProjectError(f"{folder}: {name} is here already: choose another folder, or move it away")
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _census().save(folder / _CENSUS)
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be written ({error.strerror}): give access or choose another") from error
    return [folder / name for name in (*texts, _CENSUS)]


def _network() -> Estate:
    """What the example's one router is configured with."""
    router = Device(name="r1", kind="router", platforms=("frr",), site="room", organisation="office")
    return Estate.of(router, Interface(device="r1", name="lan0", address=IPv4Interface("198.18.1.1/24")))


def _census() -> Workbook:
    """The forms as empty sheets with their titles, and one system."""
    book = Workbook()
    if book.active is not None:
        book.remove(book.active)
    for form in FORMS:
        sheet = book.create_sheet(form.name)
        sheet.append([column.titles[0] for column in form.columns])
        if form.name in _ROWS:
            sheet.append(_ROWS[form.name])
    return book
