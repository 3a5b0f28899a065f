"""Sends packets from hosts and listens on all of them: raw sockets, each made inside its host's network namespace.

Reads {"hosts": {name: pid}, "quiet": seconds, "probes": [[number, host, family, source, destination, protocol,
source port, destination port, answer]]} and writes {"hearing": [host], "seen": [[number, host, family, ...]]}. A packet
carries its number in its payload, so that it is known again however it was rewritten. ICMP has type * 256 + code as its
destination port. Standard library only: it runs on whatever Python the machine has.
"""

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time
from typing import Any

NEWNET = 0x40000000
MARK = b"onefold!"
OUTGOING = 4  # linux/if_packet.h: what the host itself sent
BURST = 40


def enter(pid: int) -> None:
    """Go into the network namespace of a process."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(handle, NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")
    os.close(handle)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build(probe: list[Any]) -> bytes:
    """Return the whole IP packet of a probe."""
    number, _, family, source, destination, protocol, near, far, answer = probe
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, destination)
    payload = MARK + struct.pack("!I", number)
    pseudo = ends + struct.pack("!HBB" if family == 4 else "!IHBB", *pseudo_tail(family, protocol, payload))
    body = segment(protocol, near, far, answer, payload, pseudo)
    if family == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xFFFF, 0, 64, protocol, 0) + ends + body
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends + body


def pseudo_tail(family: int, protocol: int, payload: bytes) -> tuple[int, ...]:
    """Return the numbers behind the addresses of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1)."""
    length = len(payload) + {6: 20, 17: 8}.get(protocol, 8)
    return (length, 0, protocol) if family == 4 else (length, 0, 0, protocol)


def segment(protocol: int, near: int, far: int, answer: int, payload: bytes, pseudo: bytes) -> bytes:
    """Return the TCP segment (SYN, or SYN and ACK), UDP datagram or ICMP message."""
    if protocol == 6:
        head, at = struct.pack("!HHIIBBHHH", near, far, 1, answer, 0x50, 0x12 if answer else 0x02, 8192, 0, 0), 16
    elif protocol == 17:
        head, at = struct.pack("!HHHH", near, far, 8 + len(payload), 0), 6
    else:
        head, at = struct.pack("!BBHHH", far >> 8, far & 255, 0, near, 1), 2
        pseudo = b"" if protocol == 1 else pseudo
    total = checksum(pseudo + head + payload) or 0xFFFF
    return head[:at] + struct.pack("!H", total) + head[at + 2 :] + payload


def read(data: bytes) -> list[Any] | None:
    """Return a probe as it arrived: [number, family, source, destination, protocol, source port, destination port]."""
    at = data.find(MARK)
    if at < 0 or len(data) < at + 12:
        return None
    number = struct.unpack("!I", data[at + 8 : at + 12])[0]
    if data[0] >> 4 == 4:
        family, size, protocol, ends, width = socket.AF_INET, (data[0] & 15) * 4, data[9], data[12:20], 4
    else:
        family, size, protocol, ends, width = socket.AF_INET6, 40, data[6], data[8:40], 16
    body = data[size:]
    if protocol in {6, 17}:
        near, far = struct.unpack("!HH", body[:4])
    else:
        if body[0] not in {8, 128}:
            return None  # an error message quotes the packet that caused it; a router answers an echo by itself
        near, far = struct.unpack("!H", body[4:6])[0], body[0] * 256 + body[1]
    names = [socket.inet_ntop(family, end) for end in (ends[:width], ends[width:])]
    return [number, 4 if width == 4 else 6, *names, protocol, near, far]


class Ear:
    """One host's sockets."""

    def __init__(self, name: str, pid: int) -> None:
        enter(pid)
        self.name = name
        self.listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.listening.setblocking(False)
        self.four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.heard = False

    def send(self, probe: list[Any]) -> None:
        """Send a probe; a host without any way to the destination sends nothing, which is an answer too."""
        try:
            (self.four if probe[2] == 4 else self.six).sendto(build(probe), (probe[4], 0))
        except OSError as error:
            print(f"{self.name}: {error}", file=sys.stderr)

    def drain(self) -> list[list[Any]]:
        """Return what has arrived from others; what left this host shows that its ears work."""
        found: list[list[Any]] = []
        while True:
            try:
                data, address = self.listening.recvfrom(4096)
            except BlockingIOError:
                return found
            if (row := read(data)) is None:
                continue
            self.heard = True
            if address[2] != OUTGOING:
                found.append([row[0], self.name, *row[1:]])


def main() -> None:
    """Send everything, listen until it has been quiet for long enough."""
    asked = json.load(sys.stdin)
    ears = {name: Ear(name, pid) for name, pid in asked["hosts"].items()}
    seen: list[list[Any]] = []
    senders = {probe[1] for probe in asked["probes"]}
    for count, probe in enumerate(asked["probes"]):
        ears[probe[1]].send(probe)
        if count % BURST == 0:
            time.sleep(0.002)
            seen += [row for ear in ears.values() for row in ear.drain()]
    end = time.monotonic() + asked["quiet"]
    while (left := end - time.monotonic()) > 0:
        select.select([ear.listening for ear in ears.values()], [], [], left)
        new = [row for ear in ears.values() for row in ear.drain()]
        seen += new
        if new:
            end = max(end, time.monotonic() + asked["quiet"])
    hearing = [name for name, ear in ears.items() if ear.heard or name not in senders]
    json.dump({"hearing": hearing, "seen": seen}, sys.stdout)


if __name__ == "__main__":
    main()
