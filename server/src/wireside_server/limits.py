"""What one client, one room and the whole server may take; sizes are bytes, times seconds."""

from __future__ import annotations

from typing import Final

MAX_CLIENTS: Final = 10_000
HELLO_TIMEOUT: Final = 30.0
"""From the connection's start to the client's ``hello``."""
GRACE: Final = 5.0
"""For the last bytes to a client that is being closed."""
SLOW_TIMEOUT: Final = 600.0
"""For a client to take one flush; it is closed as slow after that."""
READ_SIZE: Final = 16 * 1024
FLUSH_SIZE: Final = 64 * 1024
"""Of a room's log in one send."""
MAX_REPLIES: Final = 256 * 1024
"""Unsent replies above which a client is not read from."""
MAX_UNANSWERED: Final = 16
"""Messages of one client on their way to the disk, above which it is not read from."""
MAX_QUEUED: Final = 1024
"""Messages of all clients on their way to the disk."""
TAIL_MESSAGES: Final = 512
"""Of each room's log kept in memory."""
TAIL_SIZE: Final = 256 * 1024
PAGE_SIZE: Final = 512 * 1024
"""Of one page read from the log."""
CATCH_UP: Final = 200
"""Messages read from the log at once for a client that lags."""
CONTROL_TIMEOUT: Final = 5.0
"""For a reader of the control socket."""
