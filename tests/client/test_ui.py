"""The application over a link without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Static

from tcpcore.status import ConnectionStatus
from tests.client.fakes import FakeLink, sample_netstat
from wireside_client.app import WiresideApp
from wireside_client.commands import Call, UsageError, parse
from wireside_client.events import (
    AskNetstat,
    AskStatus,
    Event,
    Failed,
    JoinRoom,
    LeaveRoom,
    LinkChanged,
    LinkState,
    ListPeople,
    Rename,
    RoundTrip,
    SayText,
)
from wireside_client.status import structure
from wireside_client.widgets.composer import Composer, complete
from wireside_client.widgets.connections import ConnectionTable
from wireside_client.widgets.details import Counters, Queues, Timers, Variables
from wireside_client.widgets.diagram import STATE_COLOURS, STATES, StateDiagram, draw
from wireside_client.widgets.messages import MessageLog
from wireside_protocol.messages import (
    ConnectionReport,
    Joined,
    Left,
    Netstat,
    NetstatReport,
    People,
    Presence,
    RoomMessage,
    Status,
)

SIZES = [(80, 24), (160, 48)]
Script = Callable[[WiresideApp, FakeLink, "Pilot[None]"], Awaitable[None]]


def run(script: Script, size: tuple[int, int] = (80, 24)) -> None:
    async def main() -> None:
        link = FakeLink()
        app = WiresideApp(link, "you", "10.77.0.2:7070", clock=lambda: 0.0, monotonic=lambda: 0.0)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            link.push(LinkChanged(LinkState.ONLINE), Joined(1, "lobby", 0, ("ada",)))
            await pilot.pause()
            await script(app, link, pilot)

    asyncio.run(main())


def said(seq: int, text: str, room: str = "lobby", nick: str = "ada") -> RoomMessage:
    return RoomMessage(room, seq, nick, text, 0.0, f"m{seq}")


def shown(app: WiresideApp) -> list[str]:
    return app.chat.query_one(MessageLog).text_rows()


def screen_text(app: WiresideApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def enter(pilot: Pilot[None], line: str) -> None:
    pilot.app.screen.query_one(Composer).value = line
    await pilot.press("enter")
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
def test_messages_rooms_and_people_are_shown(size: tuple[int, int]) -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        link.push(said(1, "hello there"), RoundTrip(0.0123), Presence("lobby", "grace", True))
        await pilot.pause()
        text = screen_text(app)
        assert "hello there" in text
        assert "online" in text
        assert "RTT 12.3 ms" in text
        assert "lobby" in text
        assert app.chat.query_one("#people").display == (size[0] == 160)
        assert all(len(line) <= size[0] for line in text.split("\n"))

    run(script, size)


def test_what_is_typed_is_said_and_recalled() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        await pilot.press(*"hi", "enter")
        await enter(pilot, "//slash")
        assert link.commands == [SayText("lobby", "hi"), SayText("lobby", "/slash")]
        await pilot.press("up", "up")
        assert app.chat.query_one(Composer).value == "hi"
        await pilot.press("down", "down")
        assert app.chat.query_one(Composer).value == ""

    run(script)


def test_commands() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        for line in ("/join den", "/leave", "/who", "/nick me", "/joni", "/join", "/nick a b", "/help"):
            await enter(pilot, line)
        assert link.commands == [JoinRoom("den"), LeaveRoom("lobby"), ListPeople("lobby"), Rename("me")]
        text = " ".join(shown(app))
        assert "there is no command /joni: did you mean /join?" in text
        assert "usage: /join ROOM" in text
        assert "/quit" in text
        link.push(Joined(2, "den", 0, ()), People(3, {"den": ("ada", "you")}), Left(4, "den"))
        await pilot.pause()
        assert app.chat.current == "lobby"
        await enter(pilot, "/quit")
        assert not app.is_running or app._exit

    run(script)


@pytest.mark.parametrize(("line", "call"), [("/JOIN  den ", Call("join", "den")), ("/who", Call("who", ""))])
def test_a_command_is_read(line: str, call: Call) -> None:
    assert parse(line) == call


@pytest.mark.parametrize("line", ["/", "/nope", "/join", "/nick ,", "/join " + "x" * 100])
def test_a_wrong_command_gives_a_hint(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert "\n" not in str(caught.value)


def test_names_are_completed() -> None:
    names = ["grace", "grant", "ada", "/join"]
    assert complete("a", names, at_start=True) == "ada: "
    assert complete("a", names, at_start=False) == "ada "
    assert complete("g", names, at_start=True) == "gra"
    assert complete("/j", names, at_start=True) == "/join "
    assert complete("x", names, at_start=True) == "x"


def test_the_log_follows_the_end_unless_the_reader_is_further_up() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        link.push(*[said(number, f"line {number}") for number in range(1, 101)])
        await pilot.pause()
        log = app.chat.query_one(MessageLog)
        assert log.is_following
        assert "line 100" in screen_text(app)
        await pilot.press("pageup", "pageup")
        await pilot.pause()
        place, before = log.scroll_y, screen_text(app)
        link.push(said(101, "line 101"), said(102, "line 102"))
        await pilot.pause()
        assert log.scroll_y == place
        assert log.unseen == 2
        assert "2 new" in screen_text(app)
        assert before.split("\n")[5] == screen_text(app).split("\n")[5]
        await pilot.press("ctrl+end")
        await pilot.pause()
        assert log.unseen == 0
        assert "line 102" in screen_text(app)

    run(script)


def test_the_first_message_in_sight_stays_when_the_terminal_is_resized() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        link.push(*[said(number, f"<{number}> " + "word " * 30) for number in range(1, 60)])
        await pilot.pause()
        await pilot.press("pageup", "pageup")
        await pilot.pause()
        log = app.chat.query_one(MessageLog)
        first = log._rows[int(log.scroll_y)].entry
        await pilot.resize_terminal(120, 30)
        await pilot.pause()
        assert log._rows[int(log.scroll_y)].entry is first
        assert max(map(len, log.text_rows())) <= log._width

    run(script)


def test_control_characters_never_reach_the_terminal() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        link.push(said(1, "\x1b[2Jgone\x07 \u202eabc", nick="e\x1bvil"), Failed(None, "x", "\x1b]0;t\x07"))
        link.push(Presence("lobby", "\x1b[31mred", True))
        await pilot.pause()
        assert "\x1b" not in "".join(shown(app)) + screen_text(app)
        assert "\u202e" not in screen_text(app)

    run(script)


def test_a_message_elsewhere_is_counted_as_unread() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        link.push(Joined(2, "den", 0, ()), said(1, "psst", room="den"))
        await pilot.pause()
        assert app.chat.rooms["den"].transcript.unread == 1
        await pilot.press("alt+a")
        await pilot.pause()
        assert app.chat.current == "den"
        assert "psst" in screen_text(app)

    run(script)


@pytest.mark.parametrize("state", STATES)
def test_the_diagram_lights_the_current_state_only(state: str) -> None:
    text = draw(state)
    lit = [span for span in text.spans if f" on {STATE_COLOURS[state]}" in str(span.style)]
    assert [text.plain[span.start : span.end].strip() for span in lit] == [state]


def test_the_diagram_has_all_states_and_fits_a_small_terminal() -> None:
    text: Text = draw("")
    assert all(state in text.plain for state in STATES)
    lines = text.plain.split("\n")
    assert len(STATES) == 11
    assert len(lines) <= 14
    assert max(map(len, lines)) <= 48


def panel_script(check: Callable[[WiresideApp, NetstatReport], None]) -> Script:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        await pilot.press("f2")
        await pilot.pause()
        assert AskStatus(None) in link.commands
        assert AskNetstat() in link.commands
        report = sample_netstat(*STATES)
        events: list[Event] = [ConnectionReport(1, "10.77.0.14 40004 7070", report.connections[4]), report]
        link.push(*events)
        await pilot.pause()
        check(app, report)

    return script


@pytest.mark.parametrize("size", SIZES)
def test_the_panel_shows_the_numbers_of_the_report(size: tuple[int, int]) -> None:
    def check(app: WiresideApp, report: NetstatReport) -> None:
        fields = report.connections[4]
        assert app.screen.query_one(StateDiagram).current == fields["state"] == "ESTABLISHED"
        status = structure(fields, ConnectionStatus)
        assert app.screen.query_one(Variables).status == status
        assert status is not None
        variables = app.screen.query_one(Variables).body(status, 48).plain
        for name, key in (("SND.UNA", "snd_una"), ("SND.NXT", "snd_nxt"), ("cwnd", "cwnd"), ("MSS", "mss")):
            figures = variables.split(name + " ", 1)[1].split()
            assert figures[0] == str(fields[key])
        assert "SACK, ECN       on, off" in variables
        assert "sacked             1460" in variables
        counters = app.screen.query_one(Counters).body(status, 48).plain
        assert str(fields["segments_in"]) in counters
        assert "DSACKs                7" in counters
        assert "151.0 ms" in app.screen.query_one(Timers).body(status, 48).plain
        queues = app.screen.query_one(Queues).render().plain
        assert "2924 / 262144" in queues
        assert "1 / 256" in queues
        table = app.screen.query_one(ConnectionTable)
        assert len(table.maps) == 11
        text = screen_text(app)
        assert "10.77.0.14:40004" in text
        assert "TIME-WAIT" in text

    run(panel_script(check), size)


@pytest.mark.parametrize("size", SIZES)
def test_another_connection_is_selected_with_the_arrow_keys(size: tuple[int, int]) -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        await panel_script(lambda app, report: None)(app, link, pilot)
        await pilot.press("down")
        await pilot.pause()
        assert app.screen.query_one(StateDiagram).current == "FIN-WAIT-1"
        await pilot.press("end")
        await pilot.pause()
        assert app.screen.query_one(StateDiagram).current == STATES[-1]
        for part in (Variables, Timers, Queues, Counters):
            await pilot.press("right")
            await pilot.pause()
            assert app.screen.query_one(part).region.height > 0
        await pilot.press("f2")
        await pilot.pause()
        assert app.screen is app.chat

    run(script, size)


def test_a_server_on_kernel_sockets_is_told_as_such() -> None:
    async def script(app: WiresideApp, link: FakeLink, pilot: Pilot[None]) -> None:
        await pilot.press("f2")
        await pilot.pause()
        link.push(Failed(Status(1), "unavailable", "no stack"), Failed(Netstat(2), "unavailable", "no stack"))
        await pilot.pause()
        note = app.screen.query_one("#panel-note", Static)
        assert note.display
        assert "kernel" in str(note.render())

    run(script)


def test_status_maps_of_other_versions_are_understood() -> None:
    fields = sample_netstat("ESTABLISHED").connections[0]
    del fields["rttvar"], fields["timers"], fields["cwnd"]
    fields["something_new"] = [1, 2]
    status = structure(fields, ConnectionStatus)
    assert status is not None
    assert (status.rttvar, status.timers, status.cwnd) == (None, (), 0)
    assert structure({**fields, "mss": "many"}, ConnectionStatus) is None
    assert structure({**fields, "timers": 5}, ConnectionStatus) is None
