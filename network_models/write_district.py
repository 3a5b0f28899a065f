"""Write parts of the district's project folder: `python -m network_models.write_district PART`.

Parts: `configs`, what each device shows as its configuration, with the lines that real boxes carry beside what
Onefold knows: logging, clock, remote access; `workbook`, census.xlsx; `topology`, topology.yaml; and `keys`,
signing keys for a copy of the folder (never written unless named).
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from network_models import district
from network_models.inventory import write_topology
from network_models.keys import write_keys
from network_models.workbook import write_workbook
from orchestrator.errors import InputError
from orchestrator.vendors.registry import render_device

FOLDER = Path(__file__).with_name("wangchao")

_FRR_HEAD = "service integrated-vtysh-config\n!"
_FRR_OWN = """service integrated-vtysh-config
log syslog informational
log timestamp precision 3
log facility local6
!"""

_NFTABLES_OWN = """\t\tlimit rate 10/second counter log prefix "{device} denied: "
"""

_VRP_OWN = """#
clock timezone Beijing add 08:00:00
#
aaa
 local-user onefold service-type ssh
 local-user onefold privilege level 15
#
ntp-service unicast-server 172.31.0.11
#
snmp-agent
snmp-agent sys-info version v3
snmp-agent sys-info location DISTRICT-ROOM-2
#
stelnet server enable
ssh user onefold
ssh user onefold authentication-type all
ssh user onefold service-type stelnet
#
info-center loghost 172.31.0.11
#
user-interface vty 0 4
 authentication-mode aaa
 protocol inbound ssh
#
return
"""


def _frr(device: str, text: str) -> str:
    return f"! exported from {device}\n" + text.replace(_FRR_HEAD, _FRR_OWN, 1)


def _nftables(device: str, text: str) -> str:
    """A rule that logs what the chain's policy will drop, after the last rule."""
    forward, end, rest = text.partition("\t}\n")
    return f"{forward}{_NFTABLES_OWN.format(device=device)}{end}{rest}"


def _vrp(_: str, text: str) -> str:
    return "!Software Version V200R020C10SPC500\n" + text.removesuffix("#\nreturn\n") + _VRP_OWN


def _same(_: str, text: str) -> str:
    return text


_OWN: dict[str, Callable[[str, str], str]] = {
    "frr.conf": _frr,
    "links.batch": _same,
    "nftables.conf": _nftables,
    "vrp.cfg": _vrp,
}


def configs(folder: Path = FOLDER) -> list[Path]:
    """Write configs/DEVICE/FILE for every managed device; returns the files."""
    estate = district.now()
    written = []
    for device in estate.devices:
        for name, text in render_device(estate, device).items():
            path = folder / "configs" / device / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_OWN[name](device, text), encoding="utf-8")
            written.append(path)
    return written


def workbook(folder: Path = FOLDER) -> list[Path]:
    """Write census.xlsx."""
    write_workbook(folder / "census.xlsx")
    return [folder / "census.xlsx"]


def topology(folder: Path = FOLDER) -> list[Path]:
    """Write topology.yaml."""
    write_topology(folder / "topology.yaml")
    return [folder / "topology.yaml"]


def keys(folder: Path) -> list[Path]:
    """Write new key pairs; only for a copy of the folder. Raises InputError for the repository's own."""
    return write_keys(folder, FOLDER)


PARTS: dict[str, Callable[[Path], list[Path]]] = {"configs": configs, "workbook": workbook, "topology": topology}
ON_DEMAND: dict[str, Callable[[Path], list[Path]]] = {"keys": keys}


def main(words: Sequence[str] | None = None) -> None:
    """Write the named parts, all but keys when none is named. `words` default to the command line's."""
    parser = argparse.ArgumentParser(description="Write parts of the district's project folder.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all when none is named), keys"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args(words)
    writers = PARTS | ON_DEMAND
    if unknown := [part for part in arguments.parts if part not in writers]:
        parser.error(f"no part {unknown[0]!r}: use {', '.join(writers)}")
    for part in arguments.parts or PARTS:
        try:
            files = writers[part](arguments.folder)
        except InputError as error:
            parser.error(str(error))
        print(f"{part}: {len(files)} files under {arguments.folder}")


if __name__ == "__main__":
    main()
