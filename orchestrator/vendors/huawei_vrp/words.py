"""The words of a VRP command line: what each parameter may hold, and how it is written back.

Every parameter kind is a function from the typed word to its canonical spelling, or None when the word is not
one of its kind. Sources: Huawei VRP command references (AR, S and CE series), as remembered by the tests here.
"""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, NetmaskValueError

Parameter = Callable[[str], str | None]

_INTERFACES = (
    "Vlanif", "GigabitEthernet", "XGigabitEthernet", "10GE", "25GE", "40GE", "100GE", "Ethernet", "LoopBack",
    "Eth-Trunk", "NULL", "MEth", "Tunnel", "Vbdif", "Nve",
)  # fmt: skip
_SPELLING = {name.lower(): name for name in _INTERFACES}
_INTERFACE = re.compile(r"([0-9]*[a-z][a-z-]*)(\d+(?:/\d+)*(?:\.\d+)?)", re.IGNORECASE)
_PHYSICAL = re.compile(r"(?:X?GigabitEthernet|\d+GE|Ethernet|MEth|NULL)\d+(?:/\d+)*")


def _digits(word: str) -> bool:
    """Digits as a box takes them: not those of other scripts, and no more than any number of its has."""
    return word.isascii() and word.isdigit() and len(word) <= 12


def _within(low: int, high: int) -> Parameter:
    def parameter(word: str) -> str | None:
        return str(int(word)) if _digits(word) and low <= int(word) <= high else None

    return parameter


def _ipv4(word: str) -> str | None:
    try:
        return str(IPv4Address(word))
    except AddressValueError:
        return None


def _ipv6(word: str) -> str | None:
    try:
        return str(IPv6Address(word))
    except AddressValueError:
        return None


def _mask(word: str) -> str | None:
    try:
        network = IPv4Network(f"0.0.0.0/{word}")
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
    # IPv4Network also takes a wildcard such as 0.0.0.255; VRP does not take one for a mask.
    return str(network.netmask) if word in (str(network.netmask), str(network.prefixlen)) else None


def _wildcard(word: str) -> str | None:
    read = "0.0.0.0" if word == "0" else _ipv4(word)  # noqa: S104 - a wildcard mask, no address to listen on
    return "0" if read is not None and int(IPv4Address(read)) == 0 else read


def _distinguisher(word: str) -> str | None:
    """A route distinguisher or target: AS:number or IPv4:number (RFC 4364, section 4.2)."""
    administrator, colon, number = word.rpartition(":")
    if not colon or not _digits(number):
        return None
    if _digits(administrator):
        return word if int(administrator) < 2**32 and int(number) < 2**32 else None
    return word if _ipv4(administrator) and int(number) < 2**16 else None


def _interface(word: str) -> str | None:
    found = _INTERFACE.fullmatch(word)
    spelling = _SPELLING.get(found[1].lower()) if found else None
    if not found or spelling is None or (spelling == "Vlanif" and not _within(1, 4094)(found[2])):
        return None
    return spelling + found[2]


def _area(word: str) -> str | None:
    number = _within(0, 2**32 - 1)(word)
    return str(IPv4Address(int(number))) if number is not None else _ipv4(word)


def _word(word: str) -> str | None:
    return word


PARAMETERS: dict[str, Parameter] = {
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "mask": _mask,
    "wildcard": _wildcard,
    "vlan": _within(1, 4094),
    "as": _within(1, 2**32 - 1),
    "number": _within(0, 2**32 - 1),
    "rd": _distinguisher,
    "interface": _interface,
    "basic": _within(2000, 2999),
    "advanced": _within(3000, 3999),
    "area": _area,
    "peer": lambda word: _ipv4(word) or _ipv6(word),
    "action": lambda word: word if word in ("permit", "deny") else None,
    "word": _word,
}


def is_physical(interface: str) -> bool:
    """Whether the interface (canonical name) is hardware: it can be emptied, never removed."""
    return _PHYSICAL.fullmatch(interface) is not None


def vlan_ranges(numbers: list[int]) -> str:
    """Write VLAN numbers as VRP does: ``10 20 to 22 30``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def vlan_numbers(words: tuple[str, ...]) -> tuple[int, ...] | None:
    """Read ``10 20 to 22`` into numbers, or None when it is no such list."""
    numbers: list[int] = []
    position = 0
    while position < len(words):
        if _within(1, 4094)(words[position]) is None:
            return None
        first = last = int(words[position])
        position += 1
        if position < len(words) and words[position] == "to":
            if position + 1 >= len(words) or _within(first, 4094)(words[position + 1]) is None:
                return None
            last = int(words[position + 1])
            position += 2
        numbers.extend(range(first, last + 1))
    return tuple(numbers) or None
