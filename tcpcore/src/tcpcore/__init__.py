"""A TCP/IP stack in pure Python: sans-IO, deterministic, readable beside RFC 9293.

A ``Stack`` takes IP packets (``receive``), the time (``advance``) and user calls, and says what must go out
(``transmit``), when to wake it (``next_deadline``) and who has something to do (``take_ready``).
``tcpcore.driver`` runs it under trio on a TUN device.
"""

from tcpcore import errors
from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn.connection import Connection
from tcpcore.conn.observer import Observer
from tcpcore.conn.state import State
from tcpcore.conn.tcb import Ready
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack
from tcpcore.status import ConnectionStatus, ListenerStatus, StackStatistics, TimerStatus

__all__ = [
    "Config",
    "Connection",
    "ConnectionStatus",
    "LinkCapabilities",
    "Listener",
    "ListenerStatus",
    "Observer",
    "Ready",
    "Stack",
    "StackStatistics",
    "State",
    "TimerStatus",
    "errors",
]
