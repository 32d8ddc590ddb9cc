"""The tasks that run an engine: they wait for packets, for timers, and for the end of the scheduler's pass.

One task at a time reads the link, the leader: mostly one that waits for what comes on its own connection. It reads for
all, and goes on with its own as soon as there is something: one pass of the scheduler less than if somebody else had
read and woken it (Schmidt et al., "Leader/Followers", 2000). ``_pump`` reads while no such task does.
"""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

import trio
from trio.lowlevel import Abort, RaiseCancelT

from tcpcore import State
from tcpcore.driver.engine import Engine
from tcpcore.driver.link import BATCH


class Leader(Protocol):
    """Who reads the link until there is something for it."""

    leads: bool


async def breathe(engine: Engine) -> None:
    """A cancellation point; a schedule point too once the slice is over."""
    if perf_counter() < engine.slice_end:
        await trio.lowlevel.checkpoint_if_cancelled()
    else:
        await trio.lowlevel.checkpoint()
        engine.begin_slice()


async def read(engine: Engine, leader: Leader | None) -> None:
    """Read the link until somebody resets ``leader.leads``: a checkpoint like ``breathe``. Nobody else may read.

    Without a leader: until somebody was woken who may want to be it.
    """
    engine.read_by_somebody, engine.reader_woken = True, False
    if leader is not None:
        leader.leads = True
    rested = others_ran = False
    try:
        while True:
            count = engine.receive()
            if count and others_ran:
                others_ran = False
                engine.begin_slice()
            if engine.failure is not None or (leader is not None and not leader.leads):
                break
            if 0 < count < BATCH:
                continue
            if not count and leader is None and engine.reader_woken:
                break
            if count or engine.polls:
                await trio.lowlevel.checkpoint()
            else:
                engine.asleep = True
                await engine.link.wait_readable()
                engine.asleep = False
            rested = others_ran = True
            engine.begin_pass()
    except OSError as error:
        engine.fail(error)
    finally:
        engine.read_by_somebody = engine.asleep = False
        if leader is not None:
            leader.leads = False
            if engine.deputy is not None:
                deputy, engine.deputy = engine.deputy, None
                trio.lowlevel.reschedule(deputy)
    if not rested:
        await breathe(engine)


async def run(engine: Engine, scope: trio.CancelScope) -> None:
    """Run ``engine`` until ``scope`` is cancelled, whatever else is: a stack that leaves has to be heard."""
    with scope:
        async with trio.open_nursery() as nursery:
            for task in (_pump, _timers, _flush):
                nursery.start_soon(task, engine)


async def wait_gone(engine: Engine) -> None:
    """Return when no connection is left but those in TIME-WAIT."""
    while any(connection.state != State.TIME_WAIT for connection in engine.stack.connections()):
        engine.closing = trio.Event()
        await engine.closing.wait()
    engine.closing = None


async def _pump(engine: Engine) -> None:
    """Read the link while nobody leads, until it is gone."""

    def cancelled(_: RaiseCancelT) -> Abort:
        engine.deputy = None
        return Abort.SUCCEEDED

    while engine.failure is None:
        if engine.read_by_somebody:
            engine.deputy = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(cancelled)
        else:
            await read(engine, None)
            for _ in range(2):  # whoever was woken has come back for more after the first pass
                await trio.lowlevel.checkpoint()


async def _timers(engine: Engine) -> None:
    """Let the stack's timers fire when they are due."""
    while True:
        engine.alarm_deadline = engine.next_look()
        with trio.CancelScope(deadline=engine.alarm_deadline) as engine.alarm:
            await trio.sleep_forever()
        engine.ring()


async def _flush(engine: Engine) -> None:
    """Take turns at the end of each pass in which a user call asked for one, and while anybody waits."""

    def cancelled(_: RaiseCancelT) -> Abort:
        engine.gathering = True
        return Abort.SUCCEEDED

    engine.flusher = trio.lowlevel.current_task()
    while True:
        engine.begin_pass()
        engine.take_turns()
        if engine.stack.waiting or engine.unwoken:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            engine.gathering = False
            await trio.lowlevel.wait_task_rescheduled(cancelled)
