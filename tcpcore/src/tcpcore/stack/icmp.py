"""ICMP and ICMPv6: echo is answered, errors about our connections are heard, UDP is told that nobody listens."""

from __future__ import annotations

from tcpcore.conn.environment import Environment
from tcpcore.conn.packets import ip_header
from tcpcore.wire import icmp
from tcpcore.wire.ippacket import IPPacket
from tcpcore.wire.packet import Packet

_QUOTE = {4: 548, 6: 1232}
"""Bytes of the offending packet that an error carries (RFC 1812 section 4.3.2.3, RFC 4443 section 3.1)."""


def is_echo_request(ip: IPPacket, message: icmp.ICMPMessage) -> bool:
    """Whether ``message`` asks for a reply."""
    wanted = icmp.ECHO_REQUEST if ip.version == 4 else icmp.V6_ECHO_REQUEST
    return message.type == wanted and message.code == 0


def reply_to_echo(env: Environment, ip: IPPacket, message: icmp.ICMPMessage, now: float) -> None:
    """Send the reply, within the rate limit and the MTU."""
    if len(message.payload) + 48 > env.capabilities.mtu:
        env.drop("echo-too-big", now)
        return
    reply = icmp.ECHO_REPLY if ip.version == 4 else icmp.V6_ECHO_REPLY
    _send(env, ip, reply, 0, message.rest, bytes(message.payload), now)


def is_port_unreachable(ip: IPPacket, message: icmp.ICMPMessage) -> bool:
    """Whether ``message`` says that nobody has the port we asked for."""
    if ip.version == 4:
        return message.type == icmp.DESTINATION_UNREACHABLE and message.code == icmp.PORT_UNREACHABLE
    return message.type == icmp.V6_DESTINATION_UNREACHABLE and message.code == icmp.V6_PORT_UNREACHABLE


def port_unreachable(env: Environment, ip: IPPacket, packet: memoryview, now: float) -> None:
    """Answer a datagram for a port that nobody has (RFC 1122 section 3.2.2.1)."""
    if ip.version == 4:
        kind, code = icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE
    else:
        kind, code = icmp.V6_DESTINATION_UNREACHABLE, icmp.V6_PORT_UNREACHABLE
    _send(env, ip, kind, code, 0, bytes(packet[: _QUOTE[ip.version]]), now)


def _send(env: Environment, ip: IPPacket, kind: int, code: int, rest: int, payload: bytes, now: float) -> None:
    if not env.reply_limit.allow(now):
        env.counters.rate_limited += 1
        return
    body = icmp.build(ip.version, ip.destination, ip.source, kind, code, rest, payload)
    protocol = icmp.PROTOCOL[ip.version]
    env.counters.icmp_out_msgs += 1
    env.outbox.append(Packet(ip_header(env, ip.destination, ip.source, protocol, len(body)) + body))
