"""Scripted people for the demo: they chat about TCP, greet who comes in and answer who speaks."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

import trio

from wireside_client.events import Event
from wireside_client.member import Member
from wireside_protocol.messages import Presence, RoomMessage

NICKS = ("ada", "grace", "linus", "barbara", "donald", "radia", "edsger", "hedy")

# Each scene is a list of (speaker, line); the speakers are dealt out anew each time.
SCENES: tuple[tuple[tuple[int, str], ...], ...] = (
    (
        (0, "anyone else see a SYN arrive twice just now?"),
        (1, "yes, the first SYN+ACK must have been late"),
        (0, "so we answered the old one with our ISN, and the reset cleared it up"),
        (2, "that is what the third step of the handshake is for"),
    ),
    (
        (0, "my SRTT settled around a millisecond"),
        (1, "and RTTVAR?"),
        (0, "a quarter of that, so the RTO sits on its lower bound"),
        (2, "with links this short it is always the floor that decides"),
    ),
    (
        (0, "who is holding the window at zero?"),
        (1, "sorry, I stopped reading for a moment"),
        (2, "I saw the probes: one byte past the edge, then back off"),
        (1, "reading again, you should get a window update"),
        (0, "got it, everything moves"),
    ),
    (
        (0, "three duplicate ACKs in a row. Lost segment, or just reordered?"),
        (1, "check the SACK blocks, they tell you what did arrive"),
        (0, "one hole, exactly one MSS wide"),
        (2, "then send it again and leave the rest alone"),
    ),
    (
        (0, "press F2, the keepalive timer has two hours on it"),
        (1, "nobody will wait that long to find a dead peer"),
        (2, "hence the option. Our ping asks every 15 seconds"),
    ),
    (
        (0, "why does the one who closes first sit in TIME-WAIT?"),
        (1, "somebody has to be there if the last ACK gets lost"),
        (2, "and to let old duplicates die before the ports are used again"),
        (0, "twice the maximum segment lifetime. Patient fellow."),
    ),
    (
        (0, "does a FIN take a sequence number?"),
        (1, "one, like the SYN, that is why it can be acknowledged"),
        (0, "so half close is just: I am done talking, still listening"),
    ),
    (
        (0, "slow start is not slow, it doubles every round trip"),
        (1, "compared to sending it all at once, it was slow in 1988"),
        (2, "ten segments to begin with now, so most pages never leave it"),
    ),
    (
        (0, "two small writes, and the second waited for an ACK"),
        (1, "Nagle meets delayed ACK, an old couple"),
        (2, "gather the writes, or set nodelay. Better to gather"),
    ),
    (
        (0, "the accept queue stays empty even with all of us here"),
        (1, "trio takes each connection as soon as it is established"),
        (2, "you need somebody who does not call accept to see it grow"),
    ),
)
GREETINGS = (
    "hello {nick}, the handshake worked then",
    "welcome {nick}! press F2 and look at your own connection",
    "hi {nick}, we were just talking about windows",
)
ANSWERS = (
    "{nick}: heard you, in order and exactly once",
    "{nick}: your segment is acknowledged",
    "{nick}: true. F2 shows what those bytes did to SND.NXT",
    "{nick}: good point, I will queue it",
    "{nick}: I would have put that in one segment as well",
)
MAX_REMARKS = 8


class Troupe:
    """The people of one room; ``rng`` decides who says what, ``pause`` is about the seconds between lines."""

    def __init__(self, people: Sequence[Member], rng: random.Random, *, pause: float = 0.9) -> None:
        self._people = people
        self._names = {person.nick for person in people}
        self._rng = rng
        self._pause = pause
        self._remarks: deque[str] = deque(maxlen=MAX_REMARKS)
        self._scenes: list[tuple[tuple[int, str], ...]] = []

    def hear(self, event: Event) -> None:
        """What one of them hears: strangers get an answer."""
        match event:
            case Presence(nick=nick, joined=True) if nick not in self._names:
                self._remarks.append(self._rng.choice(GREETINGS).format(nick=nick))
            case RoomMessage(nick=nick) if nick not in self._names:
                self._remarks.append(self._rng.choice(ANSWERS).format(nick=nick))

    async def play(self) -> None:
        """Talk until cancelled."""
        while True:
            for person, line in self._next_scene():
                await trio.sleep(self._pause * self._rng.uniform(0.4, 1.6))
                while self._remarks:
                    self._rng.choice(self._people).say(self._remarks.popleft())
                    await trio.sleep(self._pause * self._rng.uniform(0.3, 0.8))
                person.say(line)

    def _next_scene(self) -> list[tuple[Member, str]]:
        if not self._scenes:
            self._scenes = self._rng.sample(SCENES, len(SCENES))
        cast = self._rng.sample(self._people, len(self._people))
        return [(cast[speaker % len(cast)], line) for speaker, line in self._scenes.pop()]
