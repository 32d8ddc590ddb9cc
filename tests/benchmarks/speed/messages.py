"""What programs and loads have agreed on."""

from __future__ import annotations

import struct
from typing import Final

CHUNK: Final = 256 << 10
"""What bulk senders send at a time, and all readers ask for, bytes."""
ECHO_SIZE: Final = 64
MESSAGE_SIZE: Final = 100
STAMP: Final = struct.Struct("=q")
"""What a message of the offered load begins with: the nanosecond at which its sending began."""
JOIN: Final = b"J"
"""What a connection of the crowd sends to be sent messages from then on; all else is echoed."""
