"""Runs one stack over one link: packets in, packets out, timers, and waking tasks that have something to do.

A *turn* sends what the stack wants to send and wakes tasks. Turns follow each batch of packets, each timer,
and user calls: what one connection sends while no other waits goes out at once, all else is gathered. The flusher
sends it at the end of the scheduler's pass, with a share of the time: when a program sends faster than packets can
leave, each connection gathers for longer, and what it sends leaves in larger packets.
"""

from __future__ import annotations

import math
from time import perf_counter, thread_time
from typing import Final, Protocol

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

from tcpcore import Connection, Listener, Ready, Stack, State
from tcpcore.driver.link import BATCH, Link
from tcpcore.wire.packet import Packet

SEND_AT_ONCE: Final = 8192
"""A larger send is never gathered."""
TICK: Final = 0.002
"""Seconds between two looks at the timers, at least."""
PATIENCE: Final = 1.0
"""Seconds for which timers wait for a link that is never read to its end."""
TURN: Final = 16
"""Connections that one turn sends for."""
TURNS: Final = 4
"""Turns that the flusher takes in one pass while there was little to gather: a millisecond's work."""
MOST: Final = 0.002
"""Seconds that it works in one pass, whatever others took."""
LITTLE: Final = 512
"""Bytes of a connection: who sends no more at a time does not send faster than packets can leave."""


class Owner(Protocol):
    """What the driver puts on a connection or listener of the stack, to hear of it."""

    def on_ready(self, bits: int) -> None:
        """Something happened: ``bits`` of ``tcpcore.Ready``."""
        ...


class Engine:
    """The driver's heart, shared by a host, its streams and its listeners.

    ``time_slice``: seconds for which stream calls may go without a schedule point; one of them is due when
    ``perf_counter()`` reaches ``slice_end``. ``spin``: seconds to poll the link after traffic before the task sleeps.
    ``gathering``: small sends only have to be queued, the flusher will come. ``clock``: the time, in trio's seconds;
    ``now``: when the engine last looked at it. ``failure``: why the link is gone, if it is.
    """

    __slots__ = (
        "_alarm", "_alarm_deadline", "_behind_since", "_busy_from", "_closing", "_flushed_at", "_flusher", "_looked_at",
        "_scope", "_sent_in_slice", "_spin", "_time_slice", "clock", "failure", "gathering", "link", "now", "slice_end",
        "stack",
    )  # fmt: skip

    def __init__(self, stack: Stack, link: Link, *, time_slice: float, spin: float) -> None:
        """Nothing runs until ``run`` does."""
        self.stack = stack
        self.link = link
        self.failure: OSError | None = None
        self._time_slice = time_slice
        self._spin = spin
        self._behind_since = math.inf
        self._busy_from = thread_time()
        """Processor time of this thread when the link was last read to its end."""
        self.clock = trio.lowlevel.current_clock().current_time
        self.slice_end = 0.0
        self.now = 0.0
        self._scope = trio.CancelScope(shield=True)
        self._alarm = trio.CancelScope()
        self._alarm_deadline = self._looked_at = -math.inf
        self._flusher: Task | None = None
        self._flushed_at = 0.0
        self._sent_in_slice = -1.0
        self.gathering = True
        self._closing: trio.Event | None = None

    # What streams and listeners call

    async def breathe(self) -> None:
        """A cancellation point; a schedule point too once the slice is over."""
        if perf_counter() < self.slice_end:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
            self.slice_end = perf_counter() + self._time_slice

    @property
    def slice_over(self) -> bool:
        """Whether the next ``breathe`` is a schedule point."""
        return perf_counter() >= self.slice_end

    def sent(self, size: int) -> None:
        """A user call gave the stack ``size`` bytes to send, or a SYN, FIN or RST with 0."""
        if size > SEND_AT_ONCE or (self._sent_in_slice != self.slice_end and self.stack.waiting <= 1):
            self._sent_in_slice = self.slice_end
            self.turn(self.clock(), more=True)
        self.touched()

    def touched(self) -> None:
        """A user call may have given the stack something to send that can wait for the end of this pass."""
        if not self.gathering and self.stack.waiting and self._flusher is not None:
            self.gathering = True
            trio.lowlevel.reschedule(self._flusher)

    def turn(self, now: float, *, more: bool = False) -> list[Packet]:
        """Send what must go out, of so many connections; wake who has something to do, set the alarm.

        ``more``: the user may be about to send more. Returns what left.
        """
        stack = self.stack
        self.now = now
        packets = stack.transmit(now, TURN, more=more)
        if packets and self.failure is None:
            try:
                self.link.send(packets)
            except OSError as error:
                self.fail(error)
        self._wake()
        if stack.waiting:
            self.touched()
        return packets

    def _wake(self) -> None:
        """Wake who has something to do, set the alarm."""
        stack = self.stack
        for ready in stack.take_ready():
            bits = ready.take_ready()
            if ready.owner is not None:
                owner: Owner = ready.owner
                owner.on_ready(bits)
                if bits & Ready.CLOSED and isinstance(ready, Connection) and ready.state is State.CLOSED:
                    ready.owner = None  # there is nothing more to hear, and no reference cycle to collect
        deadline = stack.next_deadline()
        if deadline is not None and deadline < self._alarm_deadline:
            self._set_alarm(max(deadline, self._looked_at + TICK))
        if self.now + TICK / 4 > self._alarm_deadline:
            # It is about to ring: seen to here, the timers cost no task switch
            self._look_at_timers()
            self._set_alarm(self._next_look())
        if self._closing is not None:
            self._closing.set()

    def _set_alarm(self, deadline: float) -> None:
        if deadline != self._alarm_deadline:
            self._alarm.deadline = self._alarm_deadline = deadline

    def _look_at_timers(self) -> None:
        self._looked_at = self.now
        self.stack.advance(self.now)

    def _next_look(self) -> float:
        """When the timers want to be looked at again."""
        deadline = self.stack.next_deadline()
        return math.inf if deadline is None else max(deadline, self._looked_at + TICK)

    def drain(self) -> None:
        """Take turns for all who wait now."""
        for _ in range(self.stack.waiting // TURN + 1):
            self.turn(self.clock())

    def fail(self, error: OSError) -> None:
        """The link is gone: every connection and listener ends."""
        if self.failure is not None:
            return
        self.failure = error
        now = self.clock()
        ends: list[Connection | Listener] = [*self.stack.connections(), *self.stack.listeners()]
        for connection in self.stack.connections():
            connection.abort(now)
        for end in ends:
            if end.owner is not None:
                owner: Owner = end.owner
                owner.on_ready(-1)

    # Tasks

    async def run(self) -> None:
        """Run until ``stop``, whatever is cancelled outside: a stack that leaves has to be heard."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                for task in (self._pump, self._timers, self._flush):
                    nursery.start_soon(task)

    def stop(self) -> None:
        """End ``run``."""
        self._scope.cancel()

    async def _pump(self) -> None:
        """Read packets in batches until the link is gone."""
        try:
            while self.failure is None:
                await self.link.wait_readable()
                poll_until = 0.0
                while True:
                    count = self._receive()
                    clock = perf_counter()
                    if count:
                        if self.gathering:
                            self._wake()  # the flusher will come; answering now would only make it send more often
                        else:
                            self.turn(self.now)
                        poll_until = clock + self._spin
                        self.slice_end = clock + self._time_slice
                    if count < BATCH and clock >= poll_until:
                        break  # to wait costs no more than a look at a link that has nothing
                    await trio.lowlevel.checkpoint()
        except OSError as error:
            self.fail(error)

    def _receive(self) -> int:
        """Let the stack have a batch of packets; how many they were."""
        receive, clock, count = self.stack.receive, self.clock, 0
        self.stack.late = thread_time() - self._busy_from  # asleep, we would have been woken
        for packet, checked in self.link.receive():
            receive(packet, clock(), checked)  # a batch lasts milliseconds: its last packets came after its first
            count += 1
        now = clock()
        if count < BATCH:
            self._behind_since, self._busy_from = math.inf, thread_time()
        else:
            self._behind_since = min(self._behind_since, now)
        self.stack.unheard = self._behind_since <= now < self._behind_since + PATIENCE
        self.now = now
        return count

    async def _timers(self) -> None:
        """Let the stack's timers fire when they are due."""
        while True:
            self._alarm_deadline = self._next_look()
            with trio.CancelScope(deadline=self._alarm_deadline) as self._alarm:
                await trio.sleep_forever()
            try:
                self._receive()  # what a timer waits for may have come already
            except OSError as error:
                self.fail(error)
            self._look_at_timers()
            self.turn(self.now)

    async def _flush(self) -> None:
        """Take a turn at the end of each pass in which a user call asked for one, and while anybody waits."""
        self._flusher = trio.lowlevel.current_task()
        while True:
            self._take_turns()
            if self.stack.waiting:
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                self.gathering = False
                await trio.lowlevel.wait_task_rescheduled(self._flusher_cancelled)

    def _take_turns(self) -> None:
        """One after the other, for a sixth of the time, and on while there was little to gather."""
        began = perf_counter()
        enough = began + min((began - self._flushed_at) / 5, MOST)
        for turns in range(1, self.stack.waiting // TURN + 2):
            left = sum(packet.payload_length for packet in self.turn(self.clock()))
            if not self.stack.waiting or (perf_counter() >= enough and (turns >= TURNS or left > TURN * LITTLE)):
                break
        self._flushed_at = perf_counter()

    def _flusher_cancelled(self, _: RaiseCancelT) -> Abort:
        self.gathering = True
        return Abort.SUCCEEDED

    async def wait_gone(self) -> None:
        """Return when no connection is left but those in TIME-WAIT."""
        while any(connection.state != State.TIME_WAIT for connection in self.stack.connections()):
            self._closing = trio.Event()
            await self._closing.wait()
        self._closing = None
