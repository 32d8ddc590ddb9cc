"""The log on disk: numbers, repetitions, durability, group commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from wireside_protocol.messages import RoomMessage
from wireside_server.errors import StartError
from wireside_server.limits import PAGE_SIZE
from wireside_server.store import Draft, Journal, Store, Stored


def draft(message_id: str, room: str = "lobby", text: str = "x") -> Draft:
    return Draft(room, "ada", text, 1.0, message_id)


def test_numbers_per_room_without_gaps() -> None:
    store = Store(":memory:")
    stored = store.append([draft("a"), draft("a", "other"), draft("b"), draft("a"), draft("c")])
    assert [(item.message.room, item.message.seq, item.fresh) for item in stored] == [
        ("lobby", 1, True),
        ("other", 1, True),
        ("lobby", 2, True),
        ("lobby", 1, False),
        ("lobby", 3, True),
    ]
    store.close()


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "log.sqlite3")
    store = Store(path)
    store.append([draft("a"), draft("b")])
    store.close()
    store = Store(path)
    assert store.last == {"lobby": 2}
    (again, fresh) = store.append([draft("a", text="other"), draft("c")])
    assert (again.message.seq, again.message.text, again.fresh) == (1, "x", False)
    assert (fresh.message.seq, fresh.fresh) == (3, True)
    store.close()


def test_it_is_durable_and_writes_ahead(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "log.sqlite3"))
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_failed_group_leaves_nothing() -> None:
    store = Store(":memory:")
    bad = Draft("lobby", "ada", "x", 1.0, None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.append([draft("a"), bad])
    (item,) = store.append([draft("b")])
    assert item.message.seq == 1
    assert [message.message_id for message in store.page("lobby", 0, None, 10).messages] == ["b"]
    store.close()


def test_pages_are_bounded_in_bytes() -> None:
    store = Store(":memory:")
    store.append([draft(str(n), text="é" * 4096) for n in range(200)])
    page = store.page("lobby", 0, None, 200)
    assert page.more
    assert sum(len(message.text.encode()) for message in page.messages) <= PAGE_SIZE
    newest = store.page("lobby", 0, 201, 200)
    assert newest.more
    assert newest.messages[-1].seq == 200
    store.close()


@pytest.mark.parametrize("content", [b"this is not a database, " * 50, None])
def test_unusable_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "log.sqlite3"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StartError, match="database"):
        Store(str(path))


def test_a_database_of_the_future(tmp_path: Path) -> None:
    path = str(tmp_path / "log.sqlite3")
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(StartError, match="version 9"):
        Store(path)


async def test_drafts_of_one_turn_are_one_group() -> None:
    groups: list[list[str]] = []
    order: list[str] = []
    store = Store(":memory:")

    def publish(messages: Sequence[RoomMessage]) -> None:
        groups.append([message.message_id for message in messages])

    def done(stored: Stored | None) -> None:
        assert stored is not None
        order.append(stored.message.message_id)

    journal = Journal(store, publish, lambda error: None)
    async with trio.open_nursery() as nursery:
        for name in "abc":
            await journal.submit(draft(name), done)
        nursery.start_soon(journal.run)
        journal.close()
    assert groups == [["a", "b", "c"]]
    assert order == ["a", "b", "c"]
    store.close()


async def test_what_cannot_be_stored_is_told() -> None:
    store = Store(":memory:")
    results: list[Stored | None] = []
    errors: list[sqlite3.Error] = []
    published: list[RoomMessage] = []
    journal = Journal(store, published.extend, errors.append)
    store.close()
    async with trio.open_nursery() as nursery:
        await journal.submit(draft("a"), results.append)
        nursery.start_soon(journal.run)
        journal.close()
    assert results == [None]
    assert published == []
    assert len(errors) == 1
