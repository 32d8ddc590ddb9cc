"""Every packet script under ``scripts/`` runs as written; ``tcpcore/docs/scripts.md`` describes their language."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpcore.seqnum import MODULUS
from tcpcore.testing.script import run_file

SCRIPTS = Path(__file__).parent / "scripts"
SYNCHRONIZED_STEPS = ("first", "second", "fourth", "fifth", "sixth", "seventh", "eighth")
"""Third, security and compartment, is not supported (``docs/rfc9293.md``)."""
SEGMENT_ARRIVES = {
    "closed": ("rst", "ack", "no_ack"),
    "listen": ("first_rst", "second_ack", "third_syn", "fourth"),
    "syn_sent": ("first_ack", "second_rst", "fourth_syn", "fifth"),
    "syn_received": SYNCHRONIZED_STEPS,
    "established": SYNCHRONIZED_STEPS,
    "fin_wait_1": SYNCHRONIZED_STEPS,
    "fin_wait_2": SYNCHRONIZED_STEPS,
    "close_wait": SYNCHRONIZED_STEPS,
    "closing": SYNCHRONIZED_STEPS,
    "last_ack": SYNCHRONIZED_STEPS,
    "time_wait": SYNCHRONIZED_STEPS,
}
"""RFC 9293 section 3.10.7: each state, and the steps that it names for it."""
STEPS = [(state, step) for state, steps in SEGMENT_ARRIVES.items() for step in steps]
PATHS = sorted(SCRIPTS.rglob("*.pkt"))
NAMES = [str(path.relative_to(SCRIPTS)) for path in PATHS]


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_script(path: Path) -> None:
    run_file(path)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_script_at_the_wrap_of_our_numbers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequence numbers and timestamps of the stack pass 2**32 during the handshake, or soon after."""
    monkeypatch.setattr("tcpcore.stack.stack.initial_numbers", lambda *_: (MODULUS - 50, MODULUS - 1_000_005))
    run_file(path)


def test_every_script_opens_with_its_claim() -> None:
    claims = [path.read_text().split("\n", 1)[0] for path in PATHS]
    assert [name for name, claim in zip(NAMES, claims, strict=True) if not claim.startswith("# ")] == []
    assert len(set(claims)) == len(claims)


@pytest.mark.parametrize(("state", "step"), STEPS)
def test_every_step_of_segment_arrives_has_a_script(state: str, step: str) -> None:
    assert any((SCRIPTS / "segment_arrives" / state).glob(f"{step}_*.pkt"))


def test_no_script_of_segment_arrives_is_of_a_step_that_the_rfc_does_not_have() -> None:
    strange = [
        path.name
        for path in (SCRIPTS / "segment_arrives").rglob("*.pkt")
        if not path.name.startswith(tuple(step.split("_")[0] for step in SEGMENT_ARRIVES[path.parent.name]))
    ]
    assert strange == []
