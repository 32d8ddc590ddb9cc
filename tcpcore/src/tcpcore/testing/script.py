"""Runs packet scripts against a stack, in exact virtual time: ``python -m tcpcore.testing.script FILE...``

``docs/scripts.md`` describes the language. A run fails at the first line that is not what happens: a segment with
other numbers, at another microsecond, missing or not expected, or a call with another result.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tcpcore.config import LinkCapabilities
from tcpcore.conn.connection import Connection
from tcpcore.conn.tcb import Ready
from tcpcore.errors import TCPError
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack
from tcpcore.testing import scriptpackets
from tcpcore.testing.peer import PLAIN
from tcpcore.testing.scriptlines import CallLine, ICMPLine, Line, ScriptSyntaxError, SegmentLine, Value, parse
from tcpcore.testing.scriptpackets import Conversation, Sent

START: Final = 1000.0000001
"""The stack's clock at time 0 of a script, seconds: a little late, so that no millisecond is missed by rounding."""
LOCAL_PORT: Final = 80
FIRST_PEER_PORT: Final = 4000
_PATTERN: Final = random.Random(9293).randbytes(65521)
_STEP_LIMIT: Final = 100_000
"""Timers that may fire between two lines, before a script counts as endless."""


class ScriptError(AssertionError):
    """The stack did something else than the script says; the message has the exchange so far."""


@dataclass(slots=True)
class Peer:
    """One peer of a script, and the connection with it."""

    conversation: Conversation
    connection: Connection | None = None
    sent: int = 0
    """Octets the user has sent and received: where the pattern goes on."""
    received: int = 0


def pattern(start: int, length: int) -> bytes:
    """The octets at ``start`` of the stream that both sides send: no short period, so that a mix-up shows."""
    start %= len(_PATTERN)
    repeated = _PATTERN[start:] + _PATTERN * ((length + start) // len(_PATTERN))
    return repeated[:length]


class Script:
    """One run. ``run`` raises ``ScriptError``; ``exchange`` then has what was sent and received, as a script."""

    def __init__(self, text: str) -> None:
        self.lines = parse(text)
        self.exchange: list[str] = []
        self._config = PLAIN
        self._link = LinkCapabilities()
        self._version = 4
        self._stack: Stack | None = None
        self._listeners: dict[int, Listener] = {}
        self._peers: dict[str, Peer] = {}
        self._outbox: deque[Sent] = deque()
        self._time = 0
        self._now = START

    def run(self) -> None:
        """Play every line. Raises ``ScriptError`` and ``ScriptSyntaxError``."""
        for line in self.lines:
            try:
                self._play(line)
            except ScriptError as error:
                shown = "\n".join(f"    {entry}" for entry in self.exchange[-30:])
                raise ScriptError(f"line {line.number}: {line.source}\n  {error}\n  so far:\n{shown}") from None
        self._nothing_left("at the end of the script")

    # Time

    def _play(self, line: Line) -> None:
        if isinstance(line.event, CallLine) and line.event.word in _SETUP:
            _SETUP[line.event.word](self, line.event)
            return
        self._go_to(line)
        if line.direction == ">":
            self._expect(line)
            return
        self._nothing_left("before this line")
        if isinstance(line.event, SegmentLine):
            self._receive(line.who, scriptpackets.build(self._peer(line.who).conversation, line.event, pattern))
        elif isinstance(line.event, ICMPLine):
            self._receive(line.who, scriptpackets.build_icmp(self._peer(line.who).conversation, line.event))
        elif line.event is not None:
            self._call(line.who, line.event)

    def _go_to(self, line: Line) -> None:
        """Let time pass up to the line's, timer by timer."""
        if line.time is not None:
            time = int(line.time * 1_000_000) + (self._time if line.relative else 0)
            if time < self._time:
                raise ScriptSyntaxError(f"line {line.number}: time goes back")
            self._time = time
        for _ in range(_STEP_LIMIT):
            deadline = self.stack.next_deadline()
            if deadline is None or self._microseconds(deadline) > self._time:
                break
            self._now = max(self._now, deadline)
            self.stack.advance(self._now)
            self._collect()
        else:
            raise ScriptError("timers fire without end")
        self._now = max(self._now, START + self._time / 1_000_000)

    @staticmethod
    def _microseconds(now: float) -> int:
        return round((now - START) * 1_000_000)

    # Packets

    def _receive(self, who: str, packet: bytes) -> None:
        self._log(who, "<", scriptpackets.describe(self._peer(who).conversation, packet, to_stack=True))
        self.stack.receive(packet, self._now)
        self._collect()

    def _collect(self) -> None:
        """Take what the stack sends now."""
        for packet in self.stack.transmit(self._now):
            for piece in packet.cut():
                octets = bytes(piece)
                who, peer = self._recipient(scriptpackets.peer_port(octets))
                sent = scriptpackets.take(peer.conversation, octets, self._microseconds(self._now), who)
                self._log(who, ">", sent.text)
                self._outbox.append(sent)

    def _recipient(self, port: int | None) -> tuple[str, Peer]:
        for who, peer in self._peers.items():
            if port is None or peer.conversation.peer_port == port:
                return who, peer
        raise ScriptError(f"the stack sent to port {port}, where no peer is")

    def _expect(self, line: Line) -> None:
        assert not isinstance(line.event, CallLine)
        if not self._outbox:
            raise ScriptError("nothing was sent")
        sent = self._outbox.popleft()
        if sent.time != self._time or sent.who != line.who:
            raise ScriptError(f"was sent at {_seconds(sent.time)} to {sent.who or 'the peer'}: {sent.text}")
        if (difference := scriptpackets.difference(sent, line.event, pattern)) is not None:
            raise ScriptError(f"was sent: {sent.text}\n  differs in {difference}")

    def _nothing_left(self, when: str) -> None:
        if self._outbox:
            sent = self._outbox[0]
            raise ScriptError(f"{when}, at {_seconds(sent.time)}, was sent: {sent.text}")

    def _log(self, who: str, direction: str, text: str) -> None:
        tag = f"@{who} " if who else ""
        self.exchange.append(
            f"{_seconds(self._microseconds(self._now))} {tag}{direction}{' ' if direction else ''}{text}"
        )

    # Calls

    @property
    def stack(self) -> Stack:
        """The stack under test, made when first used."""
        if self._stack is None:
            addresses = ["192.0.2.1/24", "2001:db8::1/64"]
            self._stack = Stack(addresses, self._config, random.Random(7), b"s" * 32, self._link)
        return self._stack

    def _peer(self, who: str) -> Peer:
        if who not in self._peers:
            conversation = Conversation(self._version, FIRST_PEER_PORT + len(self._peers), LOCAL_PORT)
            self._peers[who] = Peer(conversation)
        return self._peers[who]

    def _call(self, who: str, call: CallLine) -> None:
        if call.word not in _CALLS:
            raise ScriptSyntaxError(f"no call {call.word!r}; there are {', '.join(sorted(_CALLS | _SETUP))}")
        try:
            result = _CALLS[call.word](self, self._peer(who), call)
        except TCPError as error:
            result = type(error).__name__
        shown = [call.word, *call.arguments, *(f"{name}={given}" for name, given in call.settings.items())]
        self._log(who, "", " ".join(shown) + (f" = {result}" if result is not None else ""))
        if result is not None and str(result) != call.result:
            raise ScriptError(f"the result is {result}, not {call.result}")
        if result is None and call.result is not None:
            raise ScriptError(f"{call.word} has no result, {call.result} was expected")
        self._collect()

    def _connection(self, peer: Peer) -> Connection:
        """The connection with ``peer``: the accepted one, else whatever the stack has."""
        if peer.connection is None:
            port = peer.conversation.peer_port
            found = [connection for connection in self.stack.connections() if connection.remote[1] == port]
            if not found:
                raise ScriptError("there is no connection")
            return found[0]
        return peer.connection

    def _set_config(self, call: CallLine) -> None:
        self._config = replace(self._config, **_plain(call.settings))

    def _set_link(self, call: CallLine) -> None:
        self._link = replace(self._link, **_plain(call.settings))

    def _set_ip(self, call: CallLine) -> None:
        self._version = int(call.arguments[0])

    def _listen(self, peer: Peer, call: CallLine) -> None:
        settings = _plain(call.settings)
        port = settings.pop("port", LOCAL_PORT)
        self._listeners[port] = self.stack.listen(port, **settings)

    def _connect(self, peer: Peer, call: CallLine) -> None:
        conversation = peer.conversation
        peer.connection = self.stack.connect(
            (conversation.peer_address, conversation.peer_port), self._now, (conversation.address, LOCAL_PORT)
        )

    def _accept(self, peer: Peer, call: CallLine) -> str | None:
        accepted = self._listeners[LOCAL_PORT].accept()
        if accepted is None:
            return "block"
        if accepted.remote[1] != peer.conversation.peer_port:
            raise ScriptError(f"accepted the connection with port {accepted.remote[1]}")
        peer.connection = accepted
        return None

    def _unlisten(self, peer: Peer, call: CallLine) -> None:
        self._listeners.pop(LOCAL_PORT).close(self._now)

    def _send(self, peer: Peer, call: CallLine) -> str | None:
        size = int(call.arguments[0])
        extra: dict[str, Any] = {"urgent": True} if "urgent" in call.arguments else {}
        taken = self._connection(peer).send(pattern(peer.sent, size), self._now, **extra)
        peer.sent += taken
        return None if taken == size and call.result is None else str(taken) if taken else "block"

    def _read(self, peer: Peer, call: CallLine) -> str:
        size = int(call.arguments[0]) if call.arguments else 1 << 30
        data = self._connection(peer).receive(size, self._now)
        if not data:
            return "block" if data is None else "end"
        expected = pattern(peer.received, len(data))
        peer.received += len(data)
        if call.result is not None and call.result.startswith('"'):
            return f'"{data.decode("latin-1")}"'
        if data != expected:
            raise ScriptError(f"{len(data)} octets were read, with other contents than were sent")
        return str(len(data))

    def _peek(self, peer: Peer, call: CallLine) -> str:
        return str(len(self._connection(peer).peek(int(call.arguments[0]))))

    def _simple(self, peer: Peer, call: CallLine) -> None:
        getattr(self._connection(peer), call.word)(self._now)

    def _set_option(self, peer: Peer, call: CallLine) -> str | None:
        try:
            for name, given in _plain(call.settings).items():
                self._connection(peer).set_option(name, given, self._now)
        except ValueError:
            return "ValueError"
        return None

    # Checks

    def _state(self, peer: Peer, call: CallLine) -> None:
        found = str(self._connection(peer).state)
        if found != call.arguments[0]:
            raise ScriptError(f"the state is {found}")

    def _gone(self, peer: Peer, call: CallLine) -> None:
        port = peer.conversation.peer_port
        if any(connection.remote[1] == port for connection in self.stack.connections()):
            raise ScriptError("the stack still has a connection with this peer")

    def _error(self, peer: Peer, call: CallLine) -> str:
        error = self._connection(peer).error
        return "none" if error is None else type(error).__name__

    def _ready(self, peer: Peer, call: CallLine) -> str:
        bits = self._connection(peer).take_ready()
        names = sorted(name for name, bit in vars(Ready).items() if isinstance(bit, int) and bits & bit)
        return " ".join(names) or "none"

    def _status(self, peer: Peer, call: CallLine) -> None:
        status = self._connection(peer).status(self._now)
        for name, wanted in call.settings.items():
            if name == "timers":
                found: Value = "+".join(sorted(timer.name for timer in status.timers)) or None
            else:
                found = _attribute(status, name)
                if name in ("snd_una", "snd_nxt", "snd_up", "snd_wl2") and isinstance(found, int):
                    found = scriptpackets.relative(found, peer.conversation.iss)
                elif name in ("rcv_nxt", "rcv_up", "snd_wl1") and isinstance(found, int):
                    found = scriptpackets.relative(found, peer.conversation.peer_iss)
            _compare(name, found, wanted)

    def _listener(self, peer: Peer, call: CallLine) -> None:
        status = self._listeners[LOCAL_PORT].status()
        for name, wanted in call.settings.items():
            _compare(name, _attribute(status, name), wanted)

    def _statistics(self, peer: Peer, call: CallLine) -> None:
        statistics = self.stack.statistics()
        for name, wanted in call.settings.items():
            _compare(name, _attribute(statistics, name), wanted)

    def _drops(self, peer: Peer, call: CallLine) -> None:
        drops = self.stack.statistics().drops
        for name, wanted in call.settings.items():
            _compare(name, drops.get(name, 0), wanted)
        if not call.settings and drops:
            raise ScriptError(f"drops are {drops}")


def run_file(path: Path) -> Script:
    """Run the script at ``path`` and return it. Raises ``ScriptError`` and ``ScriptSyntaxError``."""
    script = Script(path.read_text())
    script.run()
    return script


def main(paths: Sequence[str]) -> int:
    """Run each file; print its exchange, and what went wrong."""
    failures = 0
    for path in paths:
        script = Script(Path(path).read_text())
        try:
            script.run()
            sys.stdout.write("\n".join([f"{path}: ok", *script.exchange, ""]))
        except (ScriptError, ScriptSyntaxError) as error:
            failures += 1
            sys.stdout.write(f"{path}: {error}\n")
    return 1 if failures else 0


def _plain(settings: dict[str, Value]) -> dict[str, Any]:
    return dict(settings)


def _seconds(microseconds: int) -> str:
    return f"{Decimal(microseconds) / 1_000_000:.6f}".rstrip("0").rstrip(".").rjust(8)


def _attribute(record: object, name: str) -> Any:
    if not hasattr(record, name):
        raise ScriptSyntaxError(f"{type(record).__name__} has no {name}")
    return getattr(record, name)


def _compare(name: str, found: Any, wanted: Value) -> None:
    if isinstance(found, float) and isinstance(wanted, int | float):
        same = abs(found - wanted) < 5e-7  # to the microsecond
    else:
        same = found == wanted
    if not same:
        raise ScriptError(f"{name} is {found}, not {wanted}")


_SETUP: Final[dict[str, Callable[[Script, CallLine], None]]] = {
    "config": Script._set_config,
    "link": Script._set_link,
    "ip": Script._set_ip,
}
_CALLS: Final[dict[str, Callable[[Script, Peer, CallLine], str | None]]] = {
    "listen": Script._listen,
    "unlisten": Script._unlisten,
    "connect": Script._connect,
    "accept": Script._accept,
    "send": Script._send,
    "read": Script._read,
    "peek": Script._peek,
    "shutdown": Script._simple,
    "shutdown_read": Script._simple,
    "close": Script._simple,
    "abort": Script._simple,
    "set": Script._set_option,
    "state": Script._state,
    "gone": Script._gone,
    "error": Script._error,
    "ready": Script._ready,
    "status": Script._status,
    "listener": Script._listener,
    "statistics": Script._statistics,
    "drops": Script._drops,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
