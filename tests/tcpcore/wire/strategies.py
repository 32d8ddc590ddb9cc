"""Packets for Hypothesis: good ones of every shape, and what a network may make of them."""

from __future__ import annotations

from hypothesis import strategies as st

from tcpcore.wire import icmp, options, tcp
from tcpcore.wire.checksum import checksum, pseudo_header_sum
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP
from tests.tcpcore.wire.reference import ADDRESSES, ip_header, tcp_packet

u8, u16, u32 = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)
versions = st.sampled_from([4, 6])
small = st.binary(max_size=60)

_NOP = st.just(b"\x01")
tcp_options = st.one_of(
    st.builds(options.build_syn_options, u16, st.none() | st.integers(0, 14), st.booleans(), st.none()),
    st.builds(options.build_syn_options, u16, st.just(7), st.booleans(), st.tuples(u32, u32)),
    st.builds(options.build_timestamp, u32, u32),
    st.builds(options.build_user_timeout, st.floats(0, 1e7)),
    st.builds(options.build_sack, st.lists(st.tuples(u32, u32), min_size=1, max_size=4)),
    st.lists(st.one_of(_NOP, st.builds(lambda kind: bytes((kind, 2)), st.integers(9, 255))), max_size=8).map(
        lambda parts: (b"".join(parts) + b"\0\0\0\0")[: len(b"".join(parts)) + -len(b"".join(parts)) % 4]
    ),
)


@st.composite
def segments(draw: st.DrawFn, version: int) -> bytes:
    """A TCP segment with its checksum."""
    header = tcp.build_header(
        draw(u16), draw(u16), draw(u32), draw(u32), draw(u8), draw(u16), draw(u16), draw(tcp_options)
    )
    return with_checksum(header + draw(small), version, TCP)


@st.composite
def usual_packets(draw: st.DrawFn, version: int) -> bytes:
    """A whole packet with ACK, timestamps and nothing else that the usual segment does not have; its sum may be bad."""
    flags = tcp.ACK | draw(st.sampled_from([0, tcp.PSH, tcp.FIN, tcp.PSH | tcp.FIN]))
    return _without_ip_options(draw, version, flags, options.build_timestamp(draw(u32), draw(u32)), draw(small))


@st.composite
def usual_syns(draw: st.DrawFn, version: int) -> bytes:
    """A whole packet with a SYN, maybe with ECN, and the options of Linux; its sum may be bad."""
    flags = tcp.SYN | draw(st.sampled_from([0, tcp.ECE | tcp.CWR]))
    return _without_ip_options(
        draw, version, flags, options.build_syn_options(draw(u16), draw(u8), True, (draw(u32), draw(u32))), b""
    )


def _without_ip_options(draw: st.DrawFn, version: int, flags: int, tcp_options: bytes, text: bytes) -> bytes:
    header = tcp.build_header(draw(u16), draw(u16), draw(u32), draw(u32), flags, draw(u16), draw(u16), tcp_options)
    segment = bytearray(with_checksum(header + text, version, TCP))
    segment[16] ^= draw(st.sampled_from([0, 0, 1]))
    packet = ip_header(version, TCP, len(segment), draw(u16)) + segment
    if version == 4:
        packet[1], packet[8] = draw(u8), draw(u8)
        packet[6] = draw(st.sampled_from([0x00, 0x40, 0x80]))
    else:
        packet[0], packet[1:4], packet[7] = 0x60 | draw(u8) >> 4, draw(st.binary(min_size=3, max_size=3)), draw(u8)
    return repaired(bytes(packet))


@st.composite
def icmp_messages(draw: st.DrawFn, version: int) -> bytes:
    """An ICMP message with its checksum; the errors among them quote a segment."""
    payload = draw(st.one_of(small, quotes()))
    return icmp.build(version, *ADDRESSES[version], draw(u8), draw(u8), draw(u32), payload)


@st.composite
def quotes(draw: st.DrawFn) -> bytes:
    """The start of a TCP packet, as an ICMP error has it: 8 bytes of the segment at least."""
    version = draw(versions)
    whole = bytes(tcp_packet(version, draw(small), seq=draw(u32), options=draw(tcp_options)))
    return whole[: draw(st.integers(len(ip_header(version, TCP, 0)) + 8, len(whole)))]


@st.composite
def ipv4_packets(draw: st.DrawFn) -> bytes:
    """A whole packet or a fragment, with or without options."""
    protocol, body = draw(_bodies(4))
    words = draw(st.sampled_from([b"", b"\x01\x01\x01\x00", b"\x94\x04\0\0", b"\x83\x07\x04\xc0\0\x02\x07\0"]))
    header = ip_header(4, protocol, len(words) + len(body), draw(u16)) + words
    header[0] = 0x40 | len(header) // 4
    if body and draw(st.booleans()):
        header[6:8] = draw(st.integers(0, 0x1000)).to_bytes(2, "big")
    return repaired(bytes(header) + body)


@st.composite
def ipv6_packets(draw: st.DrawFn) -> bytes:
    """A whole packet or a fragment, behind up to three extension headers."""
    protocol, body = draw(_bodies(6))
    if draw(st.booleans()):
        offset = draw(st.integers(0, 0x1000)) << 3
        protocol, body = 44, bytes((protocol, 0)) + offset.to_bytes(2, "big") + draw(u32).to_bytes(4, "big") + body
    for kind in draw(st.lists(st.sampled_from([43, 60]), max_size=2)) + draw(st.sampled_from([[], [0]])):
        text = b"\1\4\0\0\0\0" if kind != 43 else bytes((draw(u8), draw(st.integers(0, 1)), 0, 0, 0, 0))
        protocol, body = kind, bytes((protocol, 0)) + text + body
    return bytes(ip_header(6, protocol, len(body))) + body


def _bodies(version: int) -> st.SearchStrategy[tuple[int, bytes]]:
    """A protocol number and what it carries: never empty, and whole words of 8 bytes where it is cut."""
    number = ICMP if version == 4 else ICMPV6
    return st.one_of(
        st.tuples(st.just(TCP), segments(version)),
        st.tuples(st.just(number), icmp_messages(version)),
        st.tuples(st.just(17), st.binary(min_size=1, max_size=60)),
    )


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """A good packet with bytes changed, inserted, removed, repeated or cut off."""
    packet = bytearray(draw(good))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(packet)))
        end = min(at + draw(st.integers(1, 8)), len(packet))
        kind = draw(st.sampled_from(["change", "insert", "remove", "repeat", "cut", "number"]))
        if kind == "change":
            packet[at:end] = draw(st.binary(min_size=end - at, max_size=end - at))
        elif kind == "insert":
            packet[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "remove":
            del packet[at:end]
        elif kind == "repeat":
            packet[at:at] = packet[at:end] * draw(st.integers(1, 20))
        elif kind == "cut":
            del packet[at:]
        elif at < len(packet):
            packet[at] = draw(st.sampled_from([0, 1, 2, 4, 5, 6, 15, 16, 43, 44, 60, 127, 128, 0xF0, 0xFE, 0xFF]))
    return repaired(bytes(packet)) if draw(st.booleans()) else bytes(packet)


def repaired(packet: bytes) -> bytes:
    """``packet`` with its IP length and IPv4 header checksum made right again, so that the damage is looked at."""
    whole = bytearray(packet)
    if len(whole) >= 20 and whole[0] >> 4 == 4:
        end = (whole[0] & 15) * 4
        whole[2:4] = min(len(whole), 0xFFFF).to_bytes(2, "big")
        whole[10:12] = b"\0\0"
        whole[10:12] = checksum(whole[:end]).to_bytes(2, "big")
    elif len(whole) >= 40 and whole[0] >> 4 == 6:
        whole[4:6] = min(len(whole) - 40, 0xFFFF).to_bytes(2, "big")
    return bytes(whole)


def with_checksum(segment: bytes, version: int, protocol: int) -> bytes:
    """``segment``, whose checksum field is 0, with its checksum."""
    whole = bytearray(segment)
    whole[16:18] = pseudo_header_sum(*ADDRESSES[version], protocol, len(whole)).to_bytes(2, "big")
    whole[16:18] = checksum(whole).to_bytes(2, "big")
    return bytes(whole)
