"""What holds in every test of the stack."""

from __future__ import annotations

import pytest

from tcpcore import State
from tcpcore.conn.state import TRANSITIONS
from tcpcore.conn.tcb import Tcb


@pytest.fixture(autouse=True, scope="session")
def only_arrows_of_figure_5() -> None:
    """No connection of any test takes a way that RFC 9293's Figure 5 does not have."""
    enter = Tcb.enter

    def checked(tcb: Tcb, state: State) -> None:
        assert state is tcb.state or state in TRANSITIONS[tcb.state], f"{tcb.state} -> {state}"
        enter(tcb, state)

    pytest.MonkeyPatch().setattr(Tcb, "enter", checked)
