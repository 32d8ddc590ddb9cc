"""The log on disk: SQLite in WAL mode, written by group commit in a worker thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from wireside_protocol.messages import RoomMessage
from wireside_server.errors import StartError
from wireside_server.limits import MAX_QUEUED, PAGE_SIZE

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    nick TEXT NOT NULL,
    text TEXT NOT NULL,
    time REAL NOT NULL,
    message_id TEXT NOT NULL,
    PRIMARY KEY (room, seq),
    UNIQUE (room, message_id)
) WITHOUT ROWID
"""
_VERSION: Final = 1
_COLUMNS: Final = "room, seq, nick, text, time, message_id"
_INSERT: Final = (
    f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (room, message_id) DO NOTHING"
)


@frozen
class Draft:
    """A message that has no number yet; ``time`` is seconds since 1970."""

    room: str
    nick: str
    text: str
    time: float
    message_id: str


@frozen
class Stored:
    """A message on disk; not ``fresh``: it had been there before."""

    message: RoomMessage
    fresh: bool


@frozen
class Page:
    """Messages in ascending order; ``more``: there are further ones in the direction asked for."""

    messages: tuple[RoomMessage, ...]
    more: bool


class Store:
    """The messages of all rooms. Calls block, and must not overlap; any thread may make them.

    ``path`` ``:memory:`` keeps nothing. Raises `StartError` when the file cannot be used.
    """

    def __init__(self, path: str) -> None:
        try:
            if path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StartError(f"cannot open the database {path}: {error}") from error
        try:
            self._prepare()
        except (sqlite3.Error, StartError) as error:
            self._database.close()
            raise StartError(f"cannot use the database {path}: {error}") from error

    def _prepare(self) -> None:
        execute = self._database.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        (version,) = execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise StartError(f"it has version {version}, this server reads {_VERSION}")
        execute(_SCHEMA)
        execute(f"PRAGMA user_version = {_VERSION}")
        self.last: dict[str, int] = dict(execute("SELECT room, MAX(seq) FROM messages GROUP BY room"))

    def append(self, drafts: Iterable[Draft]) -> list[Stored]:
        """Store all or none, durably, each with the next number of its room.

        A draft whose message id is already in the room gives the first message with it.
        """
        self._database.execute("BEGIN IMMEDIATE")
        last: dict[str, int] = {}
        try:
            stored = [self._insert(draft, last) for draft in drafts]
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self.last.update(last)
        return stored

    def _insert(self, draft: Draft, last: dict[str, int]) -> Stored:
        seq = last.get(draft.room, self.last.get(draft.room, 0)) + 1
        row = (draft.room, seq, draft.nick, draft.text, draft.time, draft.message_id)
        cursor = self._database.execute(_INSERT, row)
        if cursor.rowcount:
            last[draft.room] = seq
            return Stored(RoomMessage(draft.room, seq, *row[2:]), fresh=True)
        found = self._database.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE room = ? AND message_id = ?",
            (draft.room, draft.message_id),
        )
        return Stored(RoomMessage(*found.fetchone()), fresh=False)

    def page(self, room: str, after: int, before: int | None, limit: int) -> Page:
        """At most ``limit`` messages and `PAGE_SIZE` bytes.

        The newest with ``after`` < number < ``before``, or without ``before`` the oldest after ``after``.
        """
        order = "ASC" if before is None else "DESC"
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE room = ? AND seq > ? AND seq < ? ORDER BY seq {order} LIMIT ?",
            (room, after, 2**63 - 1 if before is None else before, limit + 1),
        )
        found: list[RoomMessage] = []
        size = 0
        more = False
        for row in rows:
            message = RoomMessage(*row)
            size += len(message.text.encode()) + 256
            more = len(found) == limit or (size > PAGE_SIZE and bool(found))
            if more:
                break
            found.append(message)
        rows.close()
        if before is not None:
            found.reverse()
        return Page(tuple(found), more)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


Done = Callable[[Stored | None], None]
"""Called with ``None`` when the message could not be stored."""


class Journal:
    """The store as tasks see it: calls take turns in a worker thread, drafts are committed in groups.

    ``publish`` is called with the fresh messages of each group after they are durable, before the
    ``done`` of each draft; ``failed`` with the error of a group that could not be stored.
    """

    def __init__(
        self,
        store: Store,
        publish: Callable[[Sequence[RoomMessage]], None],
        failed: Callable[[sqlite3.Error], None],
    ) -> None:
        self._store = store
        self._publish = publish
        self._failed = failed
        self._turn = trio.CapacityLimiter(1)
        self._space = trio.Semaphore(MAX_QUEUED)
        self._queue: list[tuple[Draft, Done]] = []
        self._wake = trio.Event()
        self._closing = False

    async def submit(self, draft: Draft, done: Done) -> None:
        """Queue ``draft``; waits only while `MAX_QUEUED` are before it."""
        await self._space.acquire()
        self._queue.append((draft, done))
        self._wake.set()

    async def page(self, room: str, after: int, before: int | None, limit: int) -> Page:
        """As `Store.page`."""
        return await trio.to_thread.run_sync(self._store.page, room, after, before, limit, limiter=self._turn)

    async def run(self) -> None:
        """Commit groups until `close`; cancellation does not interrupt it."""
        with trio.CancelScope(shield=True):
            while self._queue or not self._closing:
                await self._wake.wait()
                self._wake = trio.Event()
                if self._queue:
                    await self._commit()

    async def _commit(self) -> None:
        group, self._queue = self._queue, []
        drafts = [draft for draft, _ in group]
        stored: Sequence[Stored | None]
        try:
            stored = await trio.to_thread.run_sync(self._store.append, drafts, limiter=self._turn)
        except sqlite3.Error as error:
            self._failed(error)
            stored = [None] * len(group)
        self._publish([item.message for item in stored if item is not None and item.fresh])
        for (_, done), item in zip(group, stored, strict=True):
            self._space.release()
            done(item)

    def close(self) -> None:
        """Let `run` return when everything queued is stored."""
        self._closing = True
        self._wake.set()
