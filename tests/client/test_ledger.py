"""The ledger finds what is lost, doubled, out of order and altered."""

from __future__ import annotations

from wireside_client.ledger import Ledger
from wireside_protocol.messages import RoomMessage


def arrive(ledger: Ledger, member: str, seq: int, message_id: str, text: str = "x", now: float = 1.0) -> None:
    ledger.arrived(member, RoomMessage("lobby", seq, "ada", text, 0.0, message_id), now)


def make() -> Ledger:
    ledger = Ledger({"lobby": ["ada", "grace"]})
    ledger.said("lobby", "a", "x", 0.0)
    ledger.said("lobby", "b", "x", 0.0)
    return ledger


def test_a_faultless_run() -> None:
    ledger = make()
    for member in ("ada", "grace"):
        arrive(ledger, member, 1, "a")
        arrive(ledger, member, 3, "b")
    arrive(ledger, "ada", 2, "stranger")
    verdict = ledger.verdict()
    assert verdict.faultless
    assert (verdict.said, verdict.expected, verdict.delivered, verdict.latency_p99) == (2, 4, 4, 1.0)


def test_every_fault_is_seen() -> None:
    ledger = make()
    arrive(ledger, "ada", 2, "b", text="y")
    arrive(ledger, "ada", 1, "a")
    arrive(ledger, "ada", 3, "a")
    verdict = ledger.verdict()
    assert not verdict.faultless
    assert (verdict.missing, verdict.duplicates, verdict.disordered, verdict.altered) == (2, 1, 1, 1)
