"""The ways a connection ends (RFC 9293 section 3.6), with the states that both ends show."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from tcpcore import Observer, State
from tcpcore.conn.tcb import Tcb
from tcpcore.driver import Host, TCPStream
from tests.system.kernel import KERNEL, OURS, deadline, pair_from_kernel, pair_from_us, states, until

pytestmark = pytest.mark.tun


class Journey(Observer):
    """The states that our connections go through, in order."""

    def __init__(self, host: Host) -> None:
        self.states: list[str] = []
        host.stack.observe(self)

    def state_changed(self, tcb: Tcb, old: State, new: State) -> None:
        self.states.append(str(new))


async def test_kernel_closes_first(host: Host) -> None:
    journey = Journey(host)
    with deadline():
        ours, kernel = await pair_from_us(host)
        await kernel.aclose()
        assert await ours.receive_some() == b""
        await until(lambda: states(ours) == ("CLOSE-WAIT", "FIN-WAIT-2"))
        await ours.aclose()
        await until(lambda: states(ours) == ("CLOSED", "TIME-WAIT"))
    assert journey.states == ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    assert host.stack.connections() == []


async def test_we_close_first(host: Host) -> None:
    journey = Journey(host)
    with deadline():
        ours, kernel = await pair_from_us(host)
        await ours.send_eof()
        assert await kernel.receive_some() == b""
        await until(lambda: states(ours) == ("FIN-WAIT-2", "CLOSE-WAIT"))
        await kernel.aclose()
        await until(lambda: states(ours) == ("TIME-WAIT", "CLOSED"))
        assert await ours.receive_some() == b""
        await ours.aclose()
    assert journey.states == ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
    (timer,) = (timer for status in host.connection_statuses() for timer in status.timers)
    assert timer.duration == 2 * host.stack.config.msl


async def test_both_close_at_once(host: Host) -> None:
    journey = Journey(host)
    with deadline():
        ours, kernel = await pair_from_kernel(host)
        # Without a checkpoint in between neither end can see the other's FIN before it sends its own.
        kernel.socket.shutdown(trio.socket.SHUT_WR)
        ours.close_now()
        await until(lambda: states(ours) == ("TIME-WAIT", "TIME-WAIT"))
        await kernel.aclose()
    assert journey.states == ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]


async def test_new_connection_may_follow_a_closed_one_from_the_same_port(host: Host) -> None:
    """The kernel reuses the four-tuple of a connection that is in TIME-WAIT at our end (RFC 6191)."""

    def ended(ours: TCPStream) -> bool:
        return states(ours) == ("TIME-WAIT", "CLOSED")

    (listener,) = await host.open_tcp_listeners(0)
    with deadline():
        async with listener:
            port = 0
            for _ in range(2):
                kernel = trio.socket.socket()
                kernel.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
                await kernel.bind((KERNEL, port))
                await kernel.connect((OURS, listener.port))
                port = kernel.getsockname()[1]
                ours = await listener.accept()
                await ours.aclose()
                assert await kernel.recv(1) == b""
                kernel.close()
                await until(partial(ended, ours))
