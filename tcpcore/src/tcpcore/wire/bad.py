"""What every parser of this package raises, and the only thing it raises."""


class BadPacket(Exception):
    """Bytes from the network are not a valid packet. ``reason`` is a short name, fit for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
