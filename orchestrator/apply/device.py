"""Devices: reading their configuration as it runs, and the rows that this means."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.apply.remote import Remote
from orchestrator.errors import DeviceError
from orchestrator.model.base import Row
from orchestrator.model.estate import TABLE_OF, Estate
from orchestrator.vendors.parsed import Parsed, text_lines
from orchestrator.vendors.registry import ROWS_OF_A_DEVICE, parse_device
from playbooks.module_utils import netns_vrf

Rows = dict[tuple[str, str], Row]
"""(table, key) -> the noun, as far as configuration can show it (zones are not in it)."""

_READ_LINKS = (
    'flock -w 60 /run/onefold-push.lock true; for n in $(ls /run/netns 2>/dev/null); do echo "$n"; '
    "ip -n $n -details -json link || echo '[]'; echo; done"  # one whose namespace is gone is there, without ports
)
_READ = {
    "frr.conf": "flock -w 60 /run/onefold-push.lock vtysh -c 'show running-config'",
    "nftables.conf": "flock -w 60 /run/onefold-push.lock nft list ruleset",
}


def read_texts(estate: Estate, device: str, remote: Remote, access: Access) -> dict[str, str]:
    """The running configuration of one device, by file, in the form its vendor renders.

    Raises UnreachableError, DeviceError. An unmanaged device has no texts.
    """
    row = estate.devices[device]
    if row.management is None:
        return {}
    texts: dict[str, str] = {}
    if "huawei_vrp" in row.platforms:
        from orchestrator.apply.vrp_device import read_configuration

        texts["vrp.cfg"] = read_configuration(str(row.management), access)
    if "frr" in row.platforms:
        texts["links.batch"] = _links(device, remote.ask(device, row.management, _READ_LINKS))
        texts["frr.conf"] = remote.ask(device, row.management, _READ["frr.conf"])
    if "nftables" in row.platforms:
        texts["nftables.conf"] = remote.ask(device, row.management, _READ["nftables.conf"])
    return texts


def _links(device: str, output: str) -> str:
    try:
        return links_text(output)
    except ValueError as error:
        raise DeviceError(
            f"{device} does not say which ports its namespaces have: is iproute2 there, with -json?"
        ) from error


def links_text(output: str) -> str:
    """What _READ_LINKS printed, as links.batch text. Raises ValueError for anything else."""
    lines = [line for line in text_lines(output) if line.strip()]
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return netns_vrf.write(netns_vrf.of_world({name: json.loads(text) for name, text in pairs}))


def read_all(estate: Estate, remote: Remote, access: Access, workers: int = 6) -> dict[str, dict[str, str]]:
    """Device -> file -> running text, for all managed devices at once. Raises UnreachableError, DeviceError."""
    names = sorted(device.name for device in estate.devices.values() if managed(estate, device.name))
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda name: read_texts(estate, name, remote, access), names)
        return dict(zip(names, found, strict=True))


def managed(estate: Estate, device: str) -> bool:
    """Whether we read and write this device's configuration."""
    row = estate.devices[device]
    return row.management is not None and any(platform != "unmanaged" for platform in row.platforms)


def parsed(estate: Estate, device: str, texts: Mapping[str, str]) -> Parsed:
    """What these texts of a device mean."""
    return parse_device(device, estate.devices[device].platforms, texts)


def rows_of_texts(estate: Estate, device: str, texts: Mapping[str, str]) -> Rows:
    """The rows that a device's texts mean, zones aside."""
    return {(TABLE_OF[type(noun)], _key(noun)): visible(noun) for noun in parsed(estate, device, texts).nouns()}


def rows_of_estate(estate: Estate, device: str) -> Rows:
    """The rows of one device in an estate, zones aside: what its texts should mean."""
    return {
        (table, key): visible(row)
        for table in ROWS_OF_A_DEVICE
        for key, row in getattr(estate, table).items()
        if row.device == device
    }


def rows_apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Any]:
    """The rows of either of two estates' tables that the other does not have."""
    if old is not new:  # what no edit concerns is one table in both estates
        for one, other in ((old, new), (new, old)):
            yield from (row for key, row in one.items() if row is not (there := other.get(key)) and row != there)


def visible(noun: Row) -> Row:
    """A row as configuration can show it: a zone is a register's word and stands in no configuration."""
    return noun.model_copy(update={"zone": ""}) if "zone" in type(noun).model_fields else noun


def _key(noun: Row) -> str:
    return noun.key
