"""Between the lines of a packet script and packets: relative numbers, options, what differs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from tcpcore.seqnum import unwrap, wrap
from tcpcore.testing.peer import PEER_ISS, tcp_packet
from tcpcore.testing.scriptlines import ICMPLine, Options, ScriptSyntaxError, SegmentLine, flag_letters
from tcpcore.wire import icmp
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import TCP, IPPacket
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.options import build_sack, build_syn_options, build_timestamp
from tcpcore.wire.tcp import ACK, SYN, URG, Segment, parse_untrusted

Pattern = Callable[[int, int], bytes]

ADDRESSES: Final = {4: ("192.0.2.1", "192.0.2.9"), 6: ("2001:db8::1", "2001:db8::9")}
"""The stack's and the peers', by IP version."""
DEFAULT_WINDOW: Final = 65535
_ICMP: Final = {
    "net-unreachable": ((3, 0), (1, 0)),
    "host-unreachable": ((3, 1), (1, 3)),
    "protocol-unreachable": ((3, 2), (4, 1)),
    "port-unreachable": ((3, 3), (1, 4)),
    "packet-too-big": ((3, 4), (2, 0)),
    "time-exceeded": ((11, 0), (3, 0)),
    "parameter-problem": ((12, 0), (4, 0)),
    "redirect": ((5, 1), (137, 0)),
    "source-quench": ((4, 0), (4, 0)),
    "echo-request": ((8, 0), (128, 0)),
    "echo-reply": ((0, 0), (129, 0)),
}
"""(Type, code) of ICMP and of ICMPv6."""


class Conversation:
    """What makes numbers relative: each side's SYN is 0, and the stack's first TSval is 0."""

    def __init__(self, version: int, peer_port: int, port: int) -> None:
        self.version = version
        self.peer_port = peer_port
        self.port = port
        self.address, self.peer_address = ADDRESSES[version]
        self.peer_iss = PEER_ISS
        self.iss: int | None = None
        self.timestamp: int | None = None
        self.packed = ipaddress.ip_address(self.address).packed
        self.peer_packed = ipaddress.ip_address(self.peer_address).packed


@dataclass(slots=True)
class Sent:
    """A packet of the stack's: when, to whom, and what, as numbers of a script."""

    time: int
    """Microseconds."""
    who: str
    text: str
    event: SegmentLine | ICMPLine


def relative(number: int, base: int | None) -> int:
    """``number`` of the wire, counted from ``base``."""
    return unwrap(wrap(number - (base or 0)), 0)


def build(conversation: Conversation, line: SegmentLine, pattern: Pattern) -> bytes:
    """The packet to the stack that ``line`` describes."""
    options = _build_options(conversation, line)
    data = pattern(_stream_offset(line), line.length) if line.text is None else line.text
    packet = bytearray(
        tcp_packet(
            conversation.peer_port,
            conversation.port,
            wrap(conversation.peer_iss + line.seq),
            wrap((conversation.iss or 0) + line.fields["ack"]) if "ack" in line.fields else 0,
            line.flags,
            line.fields.get("win", DEFAULT_WINDOW),
            line.fields.get("urg", 0),
            options,
            data,
            conversation.peer_packed,
            conversation.packed,
        )
    )
    if conversation.version == 6:
        if "ttl" in line.fields:
            packet[7] = line.fields["ttl"]
        if "tos" in line.fields:
            packet[0] = 0x60 | line.fields["tos"] >> 4
            packet[1] = (line.fields["tos"] & 15) << 4
    elif {"ttl", "tos"} & set(line.fields):
        raise ScriptSyntaxError("ttl and tos of a packet to the stack: with `ip 6` only")
    return bytes(packet)


def build_icmp(conversation: Conversation, line: ICMPLine) -> bytes:
    """The ICMP message to the stack; an error quotes its segment at ``seq``, of ``length`` bytes in all."""
    if line.kind not in _ICMP:
        raise ScriptSyntaxError(f"icmp {line.kind!r} is none of {', '.join(_ICMP)}")
    version = conversation.version
    kind, code = _ICMP[line.kind][version == 6]
    if line.kind.startswith("echo"):
        payload, rest = bytes(line.fields.get("length", 8)), 1 << 16
    else:
        payload, rest = _quotation(conversation, line), line.fields.get("mtu", 0)
    source, destination = conversation.peer_packed, conversation.packed
    body = icmp.build(version, source, destination, kind, code, rest, payload)
    return _ip_header(version, source, destination, icmp.PROTOCOL[version], len(body)) + body


def _quotation(conversation: Conversation, line: ICMPLine) -> bytes:
    length = line.fields.get("length", 1500)
    seq = wrap((conversation.iss or 0) + line.fields.get("seq", 0))
    ports = conversation.port.to_bytes(2, "big") + conversation.peer_port.to_bytes(2, "big")
    header_length = 20 if conversation.version == 4 else 40
    source, destination = conversation.packed, conversation.peer_packed
    header = _ip_header(conversation.version, source, destination, TCP, length - header_length)
    return header + ports + seq.to_bytes(4, "big")


def _ip_header(version: int, source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    if version == 4:
        return bytes(build_ipv4_header(source, destination, protocol, length, 1))
    return bytes(build_ipv6_header(source, destination, protocol, length))


def take(conversation: Conversation, packet: bytes, time: int, who: str) -> Sent:
    """What the stack sent, with numbers made relative; its first SYN sets what they are counted from."""
    ip = parse_ip(packet)
    if ip.protocol != TCP:
        message = icmp.parse_untrusted(ip, checked=False)
        kind = _icmp_name(ip.version, message.type, message.code)
        return Sent(time, who, f"icmp {kind}", ICMPLine(kind, {}))
    segment = parse_untrusted(ip, checked=False)
    if segment.flags & SYN:
        conversation.iss = segment.seq
        if segment.timestamp is not None and conversation.timestamp is None:
            conversation.timestamp = segment.timestamp
    line = _line_of(conversation, ip, segment, to_stack=False)
    line.fields["id"] = int.from_bytes(packet[4:6], "big") if ip.version == 4 else 0
    return Sent(time, who, write(line), line)


def describe(conversation: Conversation, packet: bytes, *, to_stack: bool) -> str:
    """A packet as a script writes it."""
    ip = parse_ip(packet)
    if ip.protocol != TCP:
        message = icmp.parse_untrusted(ip, checked=False)
        return f"icmp {_icmp_name(ip.version, message.type, message.code)}"
    try:
        return write(_line_of(conversation, ip, parse_untrusted(ip, checked=False), to_stack=to_stack))
    except BadPacket as bad:
        return f"({bad.reason})"


def peer_port(packet: bytes) -> int | None:
    """The port that a TCP packet goes to; ``None`` for ICMP."""
    ip = parse_ip(packet)
    return int.from_bytes(ip.payload[2:4], "big") if ip.protocol == TCP else None


def difference(sent: Sent, wanted: SegmentLine | ICMPLine | None, pattern: Pattern) -> str | None:
    """In what the packet is not what the script says; ``None``: in nothing."""
    found = sent.event
    if isinstance(found, ICMPLine) or isinstance(wanted, ICMPLine):
        return None if found == wanted else "kind"
    assert wanted is not None
    if found.flags != wanted.flags:
        return "flags"
    for name in ("seq", "length"):
        if getattr(found, name) != getattr(wanted, name):
            return name
    for name, number in wanted.fields.items():
        if found.fields.get(name) != number:
            return f"{name}: {found.fields.get(name)}"
    if wanted.options is not None and found.options != wanted.options:
        names = [each.name for each in fields(Options) if _differs(found.options, wanted.options, each.name)]
        return "options: " + ", ".join(names)
    data = pattern(_stream_offset(found), found.length) if wanted.text is None else wanted.text
    return None if found.text == data else "contents"


def _differs(found: Options | None, wanted: Options, name: str) -> bool:
    return bool(getattr(found, name) != getattr(wanted, name))


def write(line: SegmentLine) -> str:
    """``line`` as a script has it."""
    text = f"{flag_letters(line.flags)} {line.seq}:{line.seq + line.length}({line.length})"
    text += "".join(f" {name} {line.fields[name]}" for name in ("ack", "win", "urg") if name in line.fields)
    options = line.options
    if options is None:
        return text
    parts = []
    if options.mss is not None:
        parts.append(f"mss {options.mss}")
    if options.sack_permitted:
        parts.append("sackOK")
    if options.ts is not None:
        parts.append(f"ts {options.ts[0]}:{options.ts[1]}")
    if options.wscale is not None:
        parts.append(f"wscale {options.wscale}")
    if options.sack:
        parts.append("sack " + " ".join(f"{left}:{right}" for left, right in options.sack))
    if options.uto is not None:
        parts.append(f"uto {options.uto}")
    return text + (f" <{', '.join(parts)}>" if parts else "")


def _line_of(conversation: Conversation, ip: IPPacket, segment: Segment, *, to_stack: bool) -> SegmentLine:
    own, other = conversation.iss, conversation.peer_iss
    if to_stack:
        own, other = other, conversation.iss or 0
    line = SegmentLine(segment.flags, relative(segment.seq, own), len(segment.payload), text=bytes(segment.payload))
    if segment.flags & ACK:
        line.fields["ack"] = relative(segment.ack, other)
    line.fields["win"] = segment.wnd
    if segment.flags & URG:
        line.fields["urg"] = segment.up
    line.fields |= {"ttl": ip.hop_limit, "tos": ip.traffic_class}
    line.options = Options(segment.mss, segment.wscale, segment.sack_permitted)
    line.options.uto = getattr(segment, "user_timeout", None)
    line.options.sack = tuple((relative(left, other), relative(right, other)) for left, right in segment.sack)
    if segment.timestamp is not None:
        val, ecr = segment.timestamp, segment.timestamp_echo
        base = conversation.timestamp
        line.options.ts = (val, relative(ecr, base) if ecr else 0) if to_stack else (relative(val, base), ecr)
    return line


def _build_options(conversation: Conversation, line: SegmentLine) -> bytes:
    options = line.options or Options()
    ts = options.ts
    if ts is not None and line.flags & ACK:
        ts = (ts[0], wrap(ts[1] + (conversation.timestamp or 0)))
    built = b""
    if line.flags & SYN and (options.mss is not None or options.wscale is not None or options.sack_permitted or ts):
        built = build_syn_options(options.mss or 536, options.wscale, options.sack_permitted, ts)
        if options.mss is None:
            built = built[4:]
    elif ts is not None:
        built = build_timestamp(*ts)
    if options.sack:
        own = conversation.iss or 0
        built += build_sack([(wrap(own + left), wrap(own + right)) for left, right in options.sack])
    if options.uto is not None:
        minutes, seconds = divmod(options.uto, 60)
        field = options.uto if seconds or minutes > 0x7FFF else 0x8000 | minutes
        built += b"\x1c\x04" + field.to_bytes(2, "big")
    built += options.raw
    return built + bytes(-len(built) % 4)


def _stream_offset(line: SegmentLine) -> int:
    """Where in the sender's stream the text begins: the SYN is no octet of it."""
    return line.seq + bool(line.flags & SYN) - 1


def _icmp_name(version: int, kind: int, code: int) -> str:
    for name, pairs in _ICMP.items():
        if pairs[version == 6] == (kind, code):
            return name
    return f"{kind}/{code}"
