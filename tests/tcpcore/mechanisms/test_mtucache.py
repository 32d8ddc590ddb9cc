"""The memory of path MTUs (RFC 1191 section 6.3, RFC 8201 section 5.2): limited in number and in time."""

from __future__ import annotations

from tcpcore.conn.mtucache import PathMtus

A, B, C = b"\xc0\0\2\1", b"\xc0\0\2\2", b"\xc0\0\2\3"


def test_what_is_put_is_found_until_it_is_old() -> None:
    paths = PathMtus(10, 600.0)
    paths.put(A, 1400, 0.0)
    assert (paths.get(A, 599.0), paths.get(B, 599.0)) == (1400, None)
    assert paths.get(A, 600.0) is None
    assert len(paths) == 0


def test_news_begin_the_time_anew() -> None:
    paths = PathMtus(10, 600.0)
    paths.put(A, 1400, 0.0)
    paths.put(A, 1300, 500.0)
    assert paths.get(A, 1099.0) == 1300
    assert len(paths) == 1


def test_oldest_goes_when_there_are_too_many() -> None:
    paths = PathMtus(2, 600.0)
    paths.put(A, 1400, 0.0)
    paths.put(B, 1300, 1.0)
    paths.put(A, 1350, 2.0)
    paths.put(C, 1200, 3.0)
    assert (paths.get(A, 4.0), paths.get(B, 4.0), paths.get(C, 4.0)) == (1350, None, 1200)
    assert (len(paths), paths.evicted) == (2, 1)


def test_forgotten_is_forgotten() -> None:
    paths = PathMtus(2, 600.0)
    paths.put(A, 1400, 0.0)
    paths.forget(A)
    paths.forget(B)
    assert paths.get(A, 0.0) is None
