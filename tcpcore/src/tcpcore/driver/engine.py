"""Runs one stack over one link: packets in, packets out, timers, and waking tasks that have something to do.

A *turn* sends what the stack wants to send and wakes tasks. Turns follow packets, timers and user calls: what one
connection sends while no other waits goes out at once, all else is gathered. The flusher sends it at the end of the
scheduler's pass, with a share of the time: when a program sends faster than packets can leave, each connection gathers
for longer, and what it sends leaves in larger packets.

Nothing here waits: that is for the tasks of ``tcpcore.driver.tasks``.
"""

from __future__ import annotations

import math
from collections import deque
from time import perf_counter, thread_time
from typing import Final, Protocol

import trio
from trio.lowlevel import Task

from tcpcore.conn.connection import Connection
from tcpcore.conn.state import CLOSED
from tcpcore.conn.tcb import Ready
from tcpcore.driver.link import BATCH, Link
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack
from tcpcore.wire.packet import Packet

SEND_AT_ONCE: Final = 8192
"""A larger send is never gathered."""
TICK: Final = 0.002
"""Seconds between two looks at the timers, at least."""
PATIENCE: Final = 1.0
"""Seconds for which timers wait for a link that is never read to its end."""
FEW: Final = 4
"""Packets in a row, at most, that are answered one by one: whoever sends so few waits for the answer."""
TURN: Final = 16
"""Connections that one turn sends for."""
TURNS: Final = 4
"""Turns that the flusher takes in one pass while there was little to gather: a millisecond's work."""
MOST: Final = 0.002
"""Seconds that it works in one pass, whatever others took."""
LITTLE: Final = 512
"""Bytes of a connection: who sends no more at a time does not send faster than packets can leave."""
WAKE: Final = 64
"""Tasks woken at a time: when more have something to do, packets are read meanwhile."""
AHEAD: Final = 0.004
"""Seconds of a pass in which packets are read for tasks whose turn comes later, and as many in which the flusher
acknowledges them: whoever hears nothing for 200 ms sends again."""


class Owner(Protocol):
    """What the driver puts on a connection or listener of the stack, to hear of it."""

    def on_ready(self, bits: int) -> None:
        """Something happened: ``bits`` of ``tcpcore.Ready``."""
        ...


class Engine:
    """The driver's heart, shared by a host, its streams, its listeners and its tasks.

    ``time_slice``: seconds for which stream calls may go without a schedule point; one of them is due when
    ``perf_counter()`` reaches ``slice_end``. ``spin``: seconds to poll the link after traffic before a task sleeps.
    ``gathering``: small sends only have to be queued, the flusher will come. ``clock``: the time, in trio's seconds;
    ``now``: when the engine last looked at it. ``failure``: why the link is gone, if it is.
    ``read_by_somebody``, ``asleep``: whether a task reads the link, and whether it sleeps until there is a packet;
    ``reader_woken``: somebody was woken who may want to read it. ``unwoken``: who has something to do and was not told.
    """

    __slots__ = (
        "_behind_since", "_busy_from", "_came", "_env", "_few", "_flushed_at", "_looked_at", "_poll_until", "_read_at",
        "_sent_in_slice", "_spin", "_wakes_left",
        "alarm", "alarm_deadline", "asleep", "clock", "closing", "deputy", "failure", "flusher", "gathering", "link",
        "now", "read_by_somebody", "reader_woken", "slice_end", "stack", "time_slice", "unwoken",
    )  # fmt: skip

    def __init__(self, stack: Stack, link: Link, *, time_slice: float, spin: float) -> None:
        """Nothing runs until ``tasks.run`` does."""
        self.stack = stack
        self._env = stack.env  # of what each packet meets, a property would cost a call
        self.link = link
        self.failure: OSError | None = None
        self.time_slice = time_slice
        self._spin = spin
        self._poll_until = 0.0
        self.clock = trio.lowlevel.current_clock().current_time
        self.slice_end = 0.0
        self.now = 0.0
        self.alarm = trio.CancelScope()
        self.alarm_deadline = -math.inf
        self._looked_at = -math.inf
        self.flusher: Task | None = None
        self._flushed_at = 0.0
        self._sent_in_slice = -1.0
        self.gathering = True
        self.closing: trio.Event | None = None
        self.read_by_somebody = False
        self.reader_woken = False
        self.deputy: Task | None = None
        self.asleep = False
        self._wakes_left = WAKE
        self.unwoken: deque[Connection | Listener] = deque()
        self._behind_since = math.inf
        self._read_at = 0.0
        self._busy_from = thread_time()
        """Processor time of this thread when the link was last read to its end."""
        self._came = 0
        """Packets since then."""
        self._few = True

    # What streams and listeners call

    @property
    def slice_over(self) -> bool:
        """Whether the next stream call is a schedule point."""
        return perf_counter() >= self.slice_end

    def sent(self, size: int) -> None:
        """A user call gave the stack ``size`` bytes to send, or a SYN, FIN or RST with 0."""
        if size > SEND_AT_ONCE or (self._sent_in_slice != self.slice_end and len(self._env.pending) <= 1):
            self._sent_in_slice = self.slice_end
            self.turn(self.clock(), more=True)
        else:
            self.touched()

    def touched(self) -> None:
        """A user call may have given the stack something to send that can wait for the end of this pass."""
        if not self.gathering and (self._env.pending or self._env.opening):
            self._call_flusher()

    def _call_flusher(self) -> None:
        if not self.gathering and self.flusher is not None:
            self.gathering = True
            trio.lowlevel.reschedule(self.flusher)

    def interrupt(self) -> None:
        """Let the task return that sleeps until there is a packet."""
        if self.asleep:
            self.link.interrupt()

    # Turns

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
        self.wake()
        self.touched()
        return packets

    def wake(self) -> None:
        """Wake who has something to do, as many as may be; set the alarm."""
        stack, unwoken = self.stack, self.unwoken
        if self._env.ready or stack.ready_listeners:
            unwoken.extend(stack.take_ready())
        while unwoken and self._wakes_left:
            self._wakes_left -= 1
            ready = unwoken.popleft()
            bits = ready.take_ready()
            if ready.owner is not None:
                owner: Owner = ready.owner
                owner.on_ready(bits)
                if bits & Ready.CLOSED and isinstance(ready, Connection) and ready.state is CLOSED:
                    ready.owner = None  # there is nothing more to hear, and no reference cycle to collect
        if unwoken:
            self._call_flusher()
        deadline = stack.next_deadline()
        if deadline is not None and deadline < self.alarm_deadline:
            self._set_alarm(max(deadline, self._looked_at + TICK))
        if self.now + TICK / 4 > self.alarm_deadline:
            # It is about to ring: seen to here, the timers cost no task switch
            self.look_at_timers()
            self._set_alarm(self.next_look())
        if self.closing is not None:
            self.closing.set()

    def begin_pass(self) -> None:
        """Other tasks had their turn: as many more may be woken; fewer while much waits to be sent."""
        self._wakes_left = WAKE if self.stack.waiting < 4 * WAKE else WAKE // 4

    def begin_slice(self) -> None:
        """Other tasks had their turn: for some time stream calls need no schedule point."""
        self.slice_end = perf_counter() + self.time_slice

    def drain(self) -> None:
        """Take turns for all who wait now."""
        for _ in range(self.stack.waiting // TURN + 1):
            self.turn(self.clock())

    def take_turns(self) -> None:
        """One after the other, for a sixth of the time; for longer while there was little to gather, or tasks wait."""
        began = perf_counter()
        enough = began + (AHEAD if self.unwoken else min((began - self._flushed_at) / 5, MOST))
        for turns in range(1, self.stack.waiting // TURN + 2):
            left = 0
            for packet in self.turn(self.clock()):
                left += packet.payload_length
            if not self.stack.waiting or (perf_counter() >= enough and (turns >= TURNS or left > TURN * LITTLE)):
                break
        self._flushed_at = perf_counter()

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

    # Packets

    def receive(self) -> int:
        """Let the stack have a batch of packets and answer them; how many came.

        Fewer than ``BATCH``: the link may be empty; 0: it is. When several batches were read at once: of the last.
        """
        count = self._receive(1 if self._few else BATCH)
        if not count:
            return 0
        if count == BATCH:
            count = self._read_ahead()
        if self.gathering or not (self._env.pending or self._env.opening or self._env.outbox):
            self.wake()  # the flusher will come; answering now would only make it send more often
        else:
            self.turn(self.now)
        if self._spin:
            self._poll_until = perf_counter() + self._spin
        return count

    @property
    def polls(self) -> bool:
        """Whether the link is looked at again, rather than slept for."""
        return perf_counter() < self._poll_until

    def _read_ahead(self) -> int:
        """After a batch: read on while tasks have something to do that are not woken yet; how many came last."""
        until, count = perf_counter() + AHEAD, BATCH
        while count == BATCH and perf_counter() < until:
            self.unwoken.extend(self.stack.take_ready())
            if len(self.unwoken) < WAKE:
                break
            count = self._receive(BATCH)
        return count

    def _receive(self, most: int) -> int:
        """Let the stack have at most so many packets, or a batch; how many they were."""
        receive, clock, count = self.stack.receive, self.clock, 0
        for packet, checked in self.link.receive():
            if not count:
                self._env.late = thread_time() - self._busy_from  # asleep, we would have been woken
            receive(packet, clock(), checked)  # a batch lasts milliseconds: its last packets came after its first
            count += 1
            if count == most:
                break
        self.now = self._read_at = now = clock()
        if count < most:
            self._behind_since, self._busy_from = math.inf, thread_time()
        else:
            self._behind_since = min(self._behind_since, now)
        self._env.unheard = self._behind_since <= now < self._behind_since + PATIENCE
        self._came += count
        if not count:
            self._few, self._came = self._came <= FEW, 0
        elif self._came > FEW:
            self._few = False
        return count

    # Timers

    def ring(self) -> None:
        """The alarm went off: let timers fire, but what they wait for may have come already."""
        try:
            if self.clock() - self._read_at > TICK:
                self.receive()
        except OSError as error:
            self.fail(error)
        self.now = self.clock()
        self.look_at_timers()
        self.turn(self.now)

    def look_at_timers(self) -> None:
        """Let those fire that are due."""
        self._looked_at = self.now
        self.stack.advance(self.now)

    def next_look(self) -> float:
        """When the timers want to be looked at again."""
        deadline = self.stack.next_deadline()
        return math.inf if deadline is None else max(deadline, self._looked_at + TICK)

    def _set_alarm(self, deadline: float) -> None:
        if deadline != self.alarm_deadline:
            self.alarm.deadline = self.alarm_deadline = deadline
