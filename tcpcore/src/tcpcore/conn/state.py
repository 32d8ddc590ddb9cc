"""The eleven states of RFC 9293 section 3.3.2 and the arrows between them (Figure 5)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Connection states; ``str()`` gives the RFC's spelling."""

    CLOSED = 0
    LISTEN = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    ESTABLISHED = 4
    FIN_WAIT_1 = 5
    FIN_WAIT_2 = 6
    CLOSE_WAIT = 7
    CLOSING = 8
    LAST_ACK = 9
    TIME_WAIT = 10

    def __str__(self) -> str:
        return self.name.replace("_", "-")


CLOSED: Final = State.CLOSED
LISTEN: Final = State.LISTEN
SYN_SENT: Final = State.SYN_SENT
SYN_RECEIVED: Final = State.SYN_RECEIVED
ESTABLISHED: Final = State.ESTABLISHED
FIN_WAIT_1: Final = State.FIN_WAIT_1
FIN_WAIT_2: Final = State.FIN_WAIT_2
CLOSE_WAIT: Final = State.CLOSE_WAIT
CLOSING: Final = State.CLOSING
LAST_ACK: Final = State.LAST_ACK
TIME_WAIT: Final = State.TIME_WAIT

OPENING: Final = frozenset({SYN_SENT, SYN_RECEIVED})
"""The handshake is under way."""
RECEIVING: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2})
"""The peer has not sent its FIN: text is accepted."""
SENDING: Final = frozenset({ESTABLISHED, CLOSE_WAIT})
"""The user may SEND."""

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    CLOSED: frozenset({LISTEN, SYN_SENT}),
    LISTEN: frozenset({SYN_RECEIVED, CLOSED}),
    SYN_SENT: frozenset({SYN_RECEIVED, ESTABLISHED, CLOSED}),
    SYN_RECEIVED: frozenset({ESTABLISHED, FIN_WAIT_1, CLOSE_WAIT, CLOSED}),
    ESTABLISHED: frozenset({FIN_WAIT_1, CLOSE_WAIT, CLOSED}),
    FIN_WAIT_1: frozenset({FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSED}),
    FIN_WAIT_2: frozenset({TIME_WAIT, CLOSED}),
    CLOSE_WAIT: frozenset({LAST_ACK, CLOSED}),
    CLOSING: frozenset({TIME_WAIT, CLOSED}),
    LAST_ACK: frozenset({CLOSED}),
    TIME_WAIT: frozenset({CLOSED}),
}
"""Every arrow of Figure 5; any state may also end in CLOSED by RST, ABORT or a timeout."""
