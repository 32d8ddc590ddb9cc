"""The kernel's TCP and ours answer the same segments and calls alike, but for the differences listed here.

``tcpcore/docs/differences.md`` explains each of them. What is compared is every answer's flags, numbers, length and
options, and the results of the calls; windows and times are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Final, NamedTuple

import pytest

from tests.system.differential import Host, Kernel, Ours, Talk
from tests.system.scenarios import closing, intruders, opening, options, text

SCENARIOS: Final[dict[str, FunctionType]] = {
    name: value
    for module in (opening, options, text, closing, intruders)
    for name, value in vars(module).items()
    if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not name.startswith("_")
}
"""Every public function of these modules: its name says what it is about."""
TIMED: Final = ("syn_ack_is_sent_again", "syn_is_sent_again")
"""They wait for a second of the kernel's, so once is enough."""
ATTEMPTS: Final = 3
"""The kernel's timers run on the real clock: on a machine that stalls they may fire in the middle of a step."""
DOCUMENT: Final = Path(__file__).parents[2] / "tcpcore" / "docs" / "differences.md"


class Difference(NamedTuple):
    """The steps that differ, as the kernel and as we take them; ``row`` of the document explains why."""

    row: str
    kernel: list[str]
    ours: list[str]


DIFFERENCES: Final = {
    "other_syn_in_syn_received": Difference(
        "Another SYN in SYN-RECEIVED",
        ["< S 1000:1000(0)  =>  R. at 0 ack 1001"],
        ["< S 1000:1000(0)  =>  -"],
    ),
    "syn_with_data": Difference(
        "Text on a SYN",
        ["< . 1:1(0) ack 1  =>  -", "receive(10) = would block  =>  -", "receive(10) = b'early'  =>  -"],
        ["< . 1:1(0) ack 1  =>  . 1:1(0) ack 6", "receive(10) = b'early'  =>  -", "receive(10) = would block  =>  -"],
    ),
    "syn_with_fin": Difference(
        "FIN on a SYN",
        ["< SF 0:0(0)  =>  -", "< . 1:1(0) ack 1  =>  R 1:1(0)"],
        ["< SF 0:0(0)  =>  S. 0:0(0) ack 1", "< . 1:1(0) ack 1  =>  . 1:1(0) ack 2"],
    ),
    "fin_with_data_completes_the_handshake": Difference(
        "ACK of a FIN",
        ["< F. 1:5(4) ack 1  =>  -", "receive(10) = b'data'  =>  . 1:1(0) ack 6"],
        ["< F. 1:5(4) ack 1  =>  . 1:1(0) ack 6", "receive(10) = b'data'  =>  -"],
    ),
    "listener_closes_with_half_open_connection": Difference(
        "Half-open connections of a listener that closes",
        ["close listener  =>  -"],
        ["close listener  =>  R. 1:1(0) ack 1"],
    ),
    "closed_by_peer_before_accept": Difference(
        "Unread text when a RST comes",
        ["receive(10) = b'data'  =>  -"],
        ["receive(10) = reset  =>  -"],
    ),
    "connect_gets_data_with_the_syn_ack": Difference(
        "Text or FIN on a SYN,ACK",
        ["< S. 0:5(5) ack 1  =>  . 1:1(0) ack 1", "receive(10) = would block  =>  -", "receive(10) = b'early'  =>  -"],
        ["< S. 0:5(5) ack 1  =>  . 1:1(0) ack 6", "receive(10) = b'early'  =>  -", "receive(10) = would block  =>  -"],
    ),
    "connect_gets_a_fin_with_the_syn_ack": Difference(
        "Text or FIN on a SYN,ACK",
        ["< SF. 0:0(0) ack 1  =>  . 1:1(0) ack 1", "receive(10) = would block  =>  -"],
        ["< SF. 0:0(0) ack 1  =>  . 1:1(0) ack 2", "receive(10) = b''  =>  -"],
    ),
    "simultaneous_open": Difference(
        "SYN,ACK that ends a simultaneous open",
        ["< S. 0:0(0) ack 1  =>  . 1:1(0) ack 1"],
        ["< S. 0:0(0) ack 1  =>  -"],
    ),
    "rst_after_simultaneous_open": Difference(
        "RST after a simultaneous open",
        ["receive(1) = reset  =>  -"],
        ["receive(1) = refused  =>  -"],
    ),
    "mss_tiny": Difference(
        "Least MSS",
        ["send(150 bytes) = 150  =>  . 1:49(48) ack 1; . 49:97(48) ack 1; . 97:145(48) ack 1; . 145:151(6) ack 1"],
        ["send(150 bytes) = 150  =>  . 1:65(64) ack 1; . 65:129(64) ack 1; . 129:151(22) ack 1"],
    ),
    "timestamps_missing_later": Difference(
        "Timestamps that go missing",
        ["< P. 1:5(4) ack 1  =>  . 1:1(0) ack 5", "receive(10) = b'data'  =>  -"],
        ["< P. 1:5(4) ack 1  =>  -", "receive(10) = would block  =>  -"],
    ),
    "paws": Difference(
        "Bare ACK that fails PAWS",
        ["< . 1:1(0) ack 1  =>  -"],
        ["< . 1:1(0) ack 1  =>  . 1:1(0) ack 1"],
    ),
    "overlaps_that_differ": Difference(
        "Overlapping text",
        ["receive(20) = b'ddddddccccc'  =>  -"],
        ["receive(20) = b'ddddddabbcc'  =>  -"],
    ),
    "ack_of_the_past": Difference(
        "ACK of the distant past",
        ["< P. 5:14(9) ack -2000  =>  . 6:6(0) ack 14", "receive(20) = b'latevery late'  =>  -"],
        ["< P. 5:14(9) ack -2000  =>  . 6:6(0) ack 5", "receive(20) = b'late'  =>  -"],
    ),
    "window_with_room_for_a_part": Difference(
        "Last part of a window",
        ["< . 1:1(0) ack 2001  =>  . 2001:3001(1000) ack 1; . 3001:4001(1000) ack 1; . 4001:4501(500) ack 1"],
        ["< . 1:1(0) ack 2001  =>  . 2001:3001(1000) ack 1; . 3001:4001(1000) ack 1"],
    ),
    "zero_window_is_probed": Difference(
        "Zero-window probe",
        ["time  =>  . 5:5(0) ack 1"],
        ["time  =>  . 6:7(1) ack 1"],
    ),
    "urgent_data_in_line": Difference(
        "Urgent mark",
        ["receive(20) = b'urgen'  =>  -", "receive(20) = b't'  =>  -"],
        ["receive(20) = b'urgent'  =>  -", "receive(20) = would block  =>  -"],
    ),
    "urgent_data_beyond_what_arrived": Difference(
        "Urgent mark",
        ["receive(20) = b'urgen'  =>  -"],
        ["receive(20) = b'urgent'  =>  -"],
    ),
    "urgent_data_sent": Difference(
        "Nagle behind urgent data",
        ["send(3 bytes) = 3  =>  . 4:7(3) ack 1", "< . 1:1(0) ack 4  =>  -"],
        ["send(3 bytes) = 3  =>  -", "< . 1:1(0) ack 4  =>  . 4:7(3) ack 1"],
    ),
    "urgent_data_against_a_closed_window": Difference(
        "Urgent data and a closed window",
        ["send_urgent(3 bytes) = 3  =>  -"],
        ["send_urgent(3 bytes) = 3  =>  U. 6:6(0) ack 1 up 3"],
    ),
    "host_closes_first": Difference(
        "TIME-WAIT",
        ["< P. 6:10(4) ack 2  =>  . 2:2(0) ack 6"],
        ["< P. 6:10(4) ack 2  =>  -"],
    ),
    "fin_with_data": Difference(
        "ACK of a FIN",
        ["< FP. 1:5(4) ack 1  =>  -", "receive(10) = b'data'  =>  . 1:1(0) ack 6"],
        ["< FP. 1:5(4) ack 1  =>  . 1:1(0) ack 6", "receive(10) = b'data'  =>  -"],
    ),
    "reading_side_shut_down": Difference(
        "Text after the reading side is shut down",
        ["receive(10) = b'data'  =>  -"],
        ["receive(10) = b''  =>  -"],
    ),
    "data_after_close": Difference(
        "RST to text after close",
        ["< P. 1:5(4) ack 1  =>  R 1:1(0)"],
        ["< P. 1:5(4) ack 1  =>  R. 2:2(0) ack 1"],
    ),
    "data_after_close_in_fin_wait_2": Difference(
        "RST to text after close",
        ["< P. 1:5(4) ack 2  =>  R 2:2(0)"],
        ["< P. 1:5(4) ack 2  =>  R. 2:2(0) ack 1"],
    ),
    "time_wait_answers": Difference(
        "TIME-WAIT",
        ["< P. 2:6(4) ack 2  =>  . 2:2(0) ack 2", "< . 2:2(0) ack 3  =>  -"],
        ["< P. 2:6(4) ack 2  =>  -", "< . 2:2(0) ack 3  =>  . 2:2(0) ack 2"],
    ),
    "calls_after_rst": Difference(
        "Calls after a reset",
        ["receive(10) = b''  =>  -", "send(4 bytes) = closed  =>  -"],
        ["receive(10) = reset  =>  -", "send(4 bytes) = reset  =>  -"],
    ),
    "rst_with_unread_data": Difference(
        "Unread text when a RST comes",
        ["receive(10) = b'data'  =>  -"],
        ["receive(10) = reset  =>  -"],
    ),
    "rst_in_time_wait": Difference(
        "TIME-WAIT",
        ["< R 100:100(0)  =>  -"],
        ["< R 100:100(0)  =>  . 2:2(0) ack 2"],
    ),
}


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One device for all scenarios; each has ports of its own."""
    made = Kernel()
    yield made
    made.close()


PLAYED: Final = [
    pytest.param(name, version, number, id=f"{name}-ipv{version}")
    for number, (name, version) in enumerate((name, version) for version in (4, 6) for name in SCENARIOS)
    if version == 4 or name not in TIMED
]


@pytest.mark.tun
@pytest.mark.parametrize(("name", "version", "number"), PLAYED)
def test_same_answers(kernel: Kernel, name: str, version: int, number: int) -> None:
    ours = play(Ours(), name, version, number)
    expected = DIFFERENCES.get(name)
    listed = [] if expected is None else list(zip(expected.kernel, expected.ours, strict=True))
    different: list[tuple[str, str]] = []
    for attempt in range(ATTEMPTS):
        theirs = play(kernel, name, version, number + attempt * len(PLAYED))
        different = [(one, other) for one, other in zip(theirs, ours, strict=True) if one != other]
        if different == listed:
            return
    assert different == listed


def play(host: Host, name: str, version: int, number: int) -> list[str]:
    talk = Talk(host, version, number)
    try:
        SCENARIOS[name](talk)
    finally:
        host.end()
    return talk.record


def test_every_difference_is_explained() -> None:
    assert set(DIFFERENCES) <= set(SCENARIOS)
    rows = [line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    assert sorted(rows[2:]) == sorted({difference.row for difference in DIFFERENCES.values()})
