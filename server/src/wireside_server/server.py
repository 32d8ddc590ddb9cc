"""What all clients share."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from wireside_protocol.errors import TOO_MANY
from wireside_server.domain.hub import Hub
from wireside_server.inspection import Inspector
from wireside_server.limits import MAX_CLIENTS
from wireside_server.store import Journal, Store

if TYPE_CHECKING:
    from wireside_server.session import Client


class Server:
    """The hub, the journal, the clients; ``time`` is the clock that messages carry."""

    def __init__(
        self,
        store: Store,
        log: FilteringBoundLogger,
        inspector: Inspector | None = None,
        time: Callable[[], float] = time.time,
    ) -> None:
        self.log = log
        self.inspector = inspector
        self.time = time
        self.hub = Hub(store.last)
        self.journal = Journal(store, self.hub.publish, self._store_failed)
        self._clients: set[Client] = set()
        self._closing: str | None = None

    async def run_client(self, client: Client) -> None:
        """Serve ``client`` to its end; a fault in its task ends that client alone."""
        reason = TOO_MANY if len(self._clients) >= MAX_CLIENTS else self._closing
        if reason is not None:
            client.output.dismiss(reason)
        self._clients.add(client)
        try:
            await client.serve()
        except Exception as error:
            client.log.error("internal error", error=repr(error))
        finally:
            self._clients.discard(client)

    def dismiss_all(self, reason: str) -> None:
        """Say goodbye to every client, and to those that come from now on."""
        self._closing = reason
        for client in tuple(self._clients):
            client.output.dismiss(reason)

    def _store_failed(self, error: sqlite3.Error) -> None:
        self.log.error("messages not stored", error=str(error))
