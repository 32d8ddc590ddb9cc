"""ICMP and ICMPv6: echo is answered, errors are understood, UDP is told that nobody listens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tcpcore.conn.environment import Environment
from tcpcore.conn.packets import ip_header
from tcpcore.stack.fragments import QUOTE, Incomplete
from tcpcore.wire import icmp
from tcpcore.wire.fragment import fragment
from tcpcore.wire.ippacket import IPPacket
from tcpcore.wire.packet import Packet


class Kind(Enum):
    """What an ICMP error means to a connection (RFC 1122 section 4.2.3.9)."""

    SOFT = auto()
    HARD = auto()
    TOO_BIG = auto()


@dataclass(frozen=True, slots=True)
class Error:
    """An ICMP error; ``mtu`` is that of the link that a packet was too big for."""

    kind: Kind
    text: str
    mtu: int = 0


_HARD: Final = {
    icmp.PROTOCOL_UNREACHABLE: "the peer does not speak TCP",
    icmp.PORT_UNREACHABLE: "the peer's port is unreachable",
}
_NETWORK: Final = frozenset({0, 6, 9, 11})
_HOST: Final = "the host is unreachable"
_TIME: Final = Error(Kind.SOFT, "the way to the host is too long")
_PARAMETER: Final = Error(Kind.SOFT, "a router found fault with our packet")
_PASSING: Final = {icmp.TIME_EXCEEDED: _TIME, icmp.PARAMETER_PROBLEM: _PARAMETER}
_PASSING_V6: Final = {icmp.V6_TIME_EXCEEDED: _TIME, icmp.V6_PARAMETER_PROBLEM: _PARAMETER}
_IGNORED: Final = {
    icmp.SOURCE_QUENCH: "icmp-source-quench",
    icmp.REDIRECT: "icmp-redirect",
    icmp.ROUTER_ADVERTISEMENT: "icmp-router",
    icmp.ROUTER_SOLICITATION: "icmp-router",
}
_IGNORED_V6: Final = {
    icmp.V6_ROUTER_SOLICITATION: "icmp-router",
    icmp.V6_ROUTER_ADVERTISEMENT: "icmp-router",
    icmp.V6_REDIRECT: "icmp-redirect",
}


def is_echo_request(ip: IPPacket, message: icmp.ICMPMessage) -> bool:
    """Whether ``message`` asks for a reply."""
    wanted = icmp.ECHO_REQUEST if ip.version == 4 else icmp.V6_ECHO_REQUEST
    return message.type == wanted and message.code == 0


def reply_to_echo(env: Environment, ip: IPPacket, message: icmp.ICMPMessage, now: float) -> None:
    """Send the reply, within the rate limit."""
    reply = icmp.ECHO_REPLY if ip.version == 4 else icmp.V6_ECHO_REPLY
    _send(env, ip, reply, 0, message.rest, bytes(message.payload), now)


def error(ip: IPPacket, message: icmp.ICMPMessage) -> Error | None:
    """What ``message`` means to the connection it quotes; ``None``: it is no error, or one to ignore (RFC 6633)."""
    if ip.version == 6:
        return _error_v6(message)
    if message.type == icmp.DESTINATION_UNREACHABLE:
        if message.code == icmp.FRAGMENTATION_NEEDED:
            return Error(Kind.TOO_BIG, "packet too big", message.rest & 0xFFFF)
        if message.code in _HARD:
            return Error(Kind.HARD, _HARD[message.code])
        return Error(Kind.SOFT, "the network is unreachable" if message.code in _NETWORK else _HOST)
    return _PASSING.get(message.type)


def ignored(ip: IPPacket, message: icmp.ICMPMessage) -> str:
    """The reason why ``message``, neither a request nor an error, is dropped: nobody may turn our packets away."""
    return (_IGNORED if ip.version == 4 else _IGNORED_V6).get(message.type, "icmp-unused")


def _error_v6(message: icmp.ICMPMessage) -> Error | None:
    kind = (message.type, message.code)
    if kind == (icmp.V6_DESTINATION_UNREACHABLE, icmp.V6_PORT_UNREACHABLE):
        return Error(Kind.HARD, _HARD[icmp.PORT_UNREACHABLE])
    if kind == (icmp.V6_PARAMETER_PROBLEM, icmp.V6_UNKNOWN_NEXT_HEADER):
        return Error(Kind.HARD, _HARD[icmp.PROTOCOL_UNREACHABLE])
    if message.type == icmp.V6_DESTINATION_UNREACHABLE:
        return Error(Kind.SOFT, "the network is unreachable" if message.code == 0 else _HOST)
    if message.type == icmp.V6_PACKET_TOO_BIG:
        return Error(Kind.TOO_BIG, "packet too big", message.rest)
    return _PASSING_V6.get(message.type)


def port_unreachable(env: Environment, ip: IPPacket, packet: memoryview, now: float) -> None:
    """Answer a datagram for a port that nobody has (RFC 1122 section 3.2.2.1)."""
    if ip.version == 4:
        kind, code = icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE
    else:
        kind, code = icmp.V6_DESTINATION_UNREACHABLE, icmp.V6_PORT_UNREACHABLE
    _send(env, ip, kind, code, 0, bytes(packet[: QUOTE[ip.version]]), now)


def reassembly_timed_out(env: Environment, datagram: Incomplete, now: float) -> None:
    """Tell the sender of the first fragment (RFC 1122 section 3.3.2, RFC 8200 section 4.5)."""
    ip = datagram.first
    if ip is None or ip.protocol == icmp.PROTOCOL[ip.version]:
        return  # it may be an error itself, and those are never answered (RFC 1122 section 3.2.2)
    kind = icmp.TIME_EXCEEDED if ip.version == 4 else icmp.V6_TIME_EXCEEDED
    _send(env, ip, kind, icmp.REASSEMBLY_TIME_EXCEEDED, 0, datagram.first_packet, now)


def _send(env: Environment, ip: IPPacket, kind: int, code: int, rest: int, payload: bytes, now: float) -> None:
    """Send to the source of ``ip``, in fragments if need be."""
    if not env.reply_limit.allow(now):
        env.counters.rate_limited += 1
        return
    body = icmp.build(ip.version, ip.destination, ip.source, kind, code, rest, payload)
    protocol = icmp.PROTOCOL[ip.version]
    env.counters.icmp_out_msgs += 1
    header = ip_header(env, ip.destination, ip.source, protocol, len(body))
    mtu = env.capabilities.mtu
    if len(header) + len(body) <= mtu:
        env.outbox.append(Packet(header + body))
    else:
        env.outbox += fragment(header, body, mtu, env.rng.getrandbits(32))
