"""The vendors there are, found by walking this folder: a new one is a new folder, listed nowhere."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Protocol, cast

from orchestrator import vendors as folder
from orchestrator.errors import InputError
from orchestrator.model.estate import Estate
from orchestrator.vendors.parsed import Parsed, RenderError, Unparsed, redact, text_lines

ROWS_OF_A_DEVICE = ("vrfs", "interfaces", "routes", "filters", "filter_rules", "nats", "vlans")
"""The tables whose rows become configuration."""


class Vendor(Protocol):
    """What every folder here offers."""

    @property
    def PLATFORM(self) -> str:  # noqa: N802  # a module's constant
        """The platform's name in Device.platforms."""

    @property
    def FILES(self) -> tuple[str, ...]:  # noqa: N802
        """The files of a device's configuration that belong to this vendor."""

    @property
    def TABLES(self) -> tuple[str, ...]:  # noqa: N802
        """The tables of the estate that this vendor writes."""

    def render(self, estate: Estate, device: str) -> dict[str, str]:
        """File name -> text. Raises RenderError for rows that the vendor cannot express."""

    def parse(self, device: str, texts: Mapping[str, str]) -> Parsed:
        """The nouns of these texts; never raises for a bad line: it becomes Unparsed."""

    def cut_off(self, file: str, text: str) -> str:
        """What an exported file still needs to be whole; nothing when nobody can tell that something is missing."""

    def carry(self, present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
        """The wanted texts with the present ones' inert lines kept: what to push on a box that already runs."""


@cache
def vendors() -> dict[str, Vendor]:
    """Platform -> vendor."""
    found: dict[str, Vendor] = {}
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if module.ispkg:
            vendor = cast(Vendor, importlib.import_module(module.name))
            found[vendor.PLATFORM] = vendor
    return found


def render_device(estate: Estate, device: str) -> dict[str, str]:
    """All configuration files of a device, over all its platforms (none for an unmanaged one).

    Raises RenderError when the estate has rows for this device that none of its platforms can hold: a row that is
    written nowhere would be a promise that no box keeps.
    """
    of_device = _vendors_of(estate.devices[device].platforms)
    held = {table for vendor in of_device for table in vendor.TABLES}
    for table in ROWS_OF_A_DEVICE:
        rows = [key for key, row in getattr(estate, table).items() if row.device == device]
        if rows and table not in held:
            raise RenderError(
                f"{table}[{rows[0]}] cannot be written: no platform of {device} has {table}; "
                "give the device such a platform or take the row away"
            )
    return {file: text for vendor in of_device for file, text in vendor.render(estate, device).items()}


def carry_device(platforms: Iterable[str], present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted texts of a device (from `render_device`) with the inert lines of the texts it runs now.

    A whole wanted text is pushed as the box's whole configuration; what the model does not know about the box itself
    (clock, logging, its users, remote access) must survive that.
    """
    texts = dict(wanted)
    for vendor in _vendors_of(platforms):
        texts |= vendor.carry(present, {file: wanted[file] for file in vendor.FILES})
    return texts


def parse_device(device: str, platforms: Iterable[str], texts: Mapping[str, str]) -> Parsed:
    """Read all configuration files of a device; a file that no platform knows is Unparsed line by line."""
    of_device = _vendors_of(platforms)
    known = {file for vendor in of_device for file in vendor.FILES}
    strange = tuple(
        Unparsed(device=device, file=file, line=number, text=redact(line.strip()))
        for file, text in sorted(texts.items())
        if file not in known
        for number, line in enumerate(text_lines(text), start=1)
        if line.strip()
    )
    parsed = Parsed(unparsed=strange)
    for vendor in of_device:
        parsed += vendor.parse(device, texts)
    return parsed


def _vendors_of(platforms: Iterable[str]) -> tuple[Vendor, ...]:
    managed = [platform for platform in platforms if platform != "unmanaged"]
    for platform in managed:
        if platform not in vendors():
            raise InputError(f"no vendor for platform {platform!r}: use one of {', '.join(sorted(vendors()))}")
    return tuple(vendors()[platform] for platform in managed)
