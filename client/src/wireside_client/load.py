"""The load generator: many members that talk, and a ledger that finds what is lost or doubled."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass

import trio

from wireside_client.ledger import Ledger, Verdict
from wireside_client.member import Member
from wireside_client.net import Connect

WORDS = [
    "window",
    "segment",
    "ack",
    "syn",
    "fin",
    "probe",
    "timer",
    "queue",
    "cwnd",
    "backlog",
    "handshake",
    "stream",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """``rate`` messages per second in all, from ``clients`` spread over ``rooms``, for ``seconds``."""

    clients: int = 20
    rooms: int = 2
    seconds: float = 60.0
    rate: float = 50.0
    settle: float = 15.0
    """Seconds allowed for joining, and again for the last messages to arrive."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ledger says, and what the sessions noticed below it."""

    verdict: Verdict
    held_back: int
    """Messages not said because a client had too many unacknowledged."""
    suppressed: int
    """Duplicates that the server sent and the sessions kept from their users."""
    gaps: int
    """Gaps that the sessions filled from history."""
    reconnects: int
    seconds: float

    def lines(self) -> list[str]:
        """The report for people."""
        verdict = self.verdict
        rate = verdict.delivered / self.seconds if self.seconds else 0.0
        return [
            f"said        {verdict.said}  (held back {self.held_back})",
            f"expected    {verdict.expected} deliveries",
            f"delivered   {verdict.delivered}  ({rate:.0f}/s)",
            f"missing     {verdict.missing}",
            f"duplicates  {verdict.duplicates}  (suppressed {self.suppressed})",
            f"gaps        {verdict.disordered}  (filled {self.gaps})",
            f"altered     {verdict.altered}",
            f"reconnects  {self.reconnects}",
            f"latency     p50 {_ms(verdict.latency_p50)}  p99 {_ms(verdict.latency_p99)}",
        ]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.2f} ms"


async def run_load(connect: Connect, plan: Plan, *, seed: int | None = None) -> Outcome:
    """Carry ``plan`` out.

    Raises ``trio.TooSlowError`` when not everybody gets in, `RefusedError` when somebody must not.
    """
    rng = random.Random(seed)
    run = secrets.token_hex(3) if seed is None else f"s{seed}"
    nicks = [f"load-{run}-{number}" for number in range(plan.clients)]
    room_of = {nick: f"load-{run}-room-{number % plan.rooms}" for number, nick in enumerate(nicks)}
    rooms = {room: [nick for nick in nicks if room_of[nick] == room] for room in set(room_of.values())}
    ledger = Ledger(rooms)
    members = [Member(nick, room_of[nick], connect, ledger=ledger) for nick in nicks]
    async with trio.open_nursery() as nursery:
        for member in members:
            nursery.start_soon(member.run)
        with trio.fail_after(plan.settle):
            for member in members:
                await member.wait_joined()
        began = trio.current_time()
        held_back = await _talk(members, plan, rng)
        with trio.move_on_after(plan.settle):
            await ledger.wait_complete()
        seconds = trio.current_time() - began
        nursery.cancel_scope.cancel()
    return Outcome(
        verdict=ledger.verdict(),
        held_back=held_back,
        suppressed=sum(member.session.duplicates for member in members),
        gaps=sum(member.session.gaps for member in members),
        reconnects=sum(member.reconnects for member in members),
        seconds=seconds,
    )


async def _talk(members: list[Member], plan: Plan, rng: random.Random) -> int:
    began = trio.current_time()
    held_back = 0
    for number in range(int(plan.rate * plan.seconds)):
        await trio.sleep_until(began + number / plan.rate)
        text = f"{number} " + " ".join(rng.choices(WORDS, k=rng.randint(1, 16)))
        held_back += not rng.choice(members).say(text)
    return held_back
