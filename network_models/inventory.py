"""The district's topology.yaml: what neither the census nor a device's configuration says."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from network_models import district
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.network import Link

_SITES = {
    "city-dc": "澜海市政务数据中心",
    "district": "望潮区政务机房",
    "cz-1": "望潮区财政局",
    "cz-2": "望潮区财政局二分局",
    "cz-3": "望潮区财政局档案库",
    "mz-1": "望潮区民政局",
    "mz-2": "望潮区民政局救助站",
    "internet": "互联网",
}
_SECTIONS = {
    "organisations": "organisations",
    "devices": "devices",
    "cabling": "links",
    "hosts": "hosts",
    "clouds": "clouds",
    "workloads": "workloads",
    "service_names": "service_names",
}


def write_topology(path: Path) -> None:
    """Write topology.yaml of the district, one row a line."""
    now = district.now()
    lines = ["# 望潮区资产与布线台账:机构、场所、设备、线缆、主机、云、部件、服务名,以及各区域所在的端口。", "sites:"]
    lines += [f"  - {_flow({'name': name, 'title': title})}" for name, title in _SITES.items()]
    for section, table in _SECTIONS.items():
        lines += ["", f"{section}:"]
        lines += [f"  - {_flow(_short(noun))}" for noun in getattr(now, table).values()]
    lines += ["", "zones:", "  vrfs:"]
    lines += [f"    {name}: {zone}" for name, zone in sorted({v.name: v.zone for v in now.vrfs.values()}.items())]
    lines += ["  segments:"]
    lines += [f"    - {_flow({'zone': zone, 'ports': ports})}" for zone, ports in _segments(now).items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _short(noun: Noun) -> dict[str, Any]:
    """A noun without what is default anyway; a cable with its ends as node:port."""
    fields = noun.model_dump(mode="json", exclude_defaults=True)
    if not isinstance(noun, Link):
        return fields
    ends = {"name": noun.name, "a": f"{noun.a_node}:{noun.a_port}", "b": f"{noun.b_node}:{noun.b_port}"}
    return ends | {key: value for key, value in fields.items() if key != "name" and key[:2] not in ("a_", "b_")}


def _segments(now: Estate) -> Mapping[str, list[str]]:
    ports: dict[str, list[str]] = {}
    for interface in now.interfaces.values():
        if interface.zone:
            ports.setdefault(interface.zone, []).append(f"{interface.device}:{interface.name}")
    return ports


def _flow(value: Any) -> str:
    """A value as YAML in one line; text is quoted only where it must be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[^\W\d_][\w./ -]*|\d[\w./-]*[./-][\w./-]*", value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
