"""What the driver asks of a link: the thing that carries IP packets to and from the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from tcpcore.config import LinkCapabilities
from tcpcore.wire.packet import Buffer, Packet

BATCH: Final = 64
"""Most packets that one ``receive`` gives: acknowledgements and wake-ups are shared, yet no task starves."""


class LinkUnavailableError(OSError):
    """A link cannot be opened, or it is gone; the text is one line that says why."""


class Link(Protocol):
    """Carries IP packets, never waits in ``send`` and ``receive``.

    ``capabilities``: what the stack may leave to the link. ``dropped``: packets the link refused to send.
    """

    @property
    def capabilities(self) -> LinkCapabilities:
        """What the stack may leave to this link."""
        ...

    @property
    def dropped(self) -> int:
        """Packets given to ``send`` that the link could not take."""
        ...

    def send(self, packets: Iterable[Packet]) -> None:
        """Send what the link takes at once; drop and count the rest. ``OSError``: the link is gone."""
        ...

    def receive(self) -> Iterable[tuple[Buffer, bool]]:
        """At most ``BATCH`` packets, each with a flag: the link vouches for its checksums.

        A packet is valid until the next one is taken. No packets: all is read. ``OSError``: the link is gone.
        """
        ...

    async def wait_readable(self) -> None:
        """Return when ``receive`` may have something, or after ``interrupt``. ``OSError``: the link is gone."""
        ...

    def interrupt(self) -> None:
        """Let the task return that is in ``wait_readable``, if there is one."""
        ...

    async def aclose(self) -> None:
        """Release the link; a second call does nothing."""
        ...
