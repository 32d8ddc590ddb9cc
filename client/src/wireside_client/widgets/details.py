"""One connection in figures: variables, timers, counters; and the listeners' queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.text import Text
from textual.widget import Widget

from tcpcore.status import ConnectionStatus, ListenerStatus, StackStatistics
from wireside_client.status import endpoint
from wireside_client.text import clean_line, fit
from wireside_client.widgets.figures import Pair, columns, count, duration

_EIGHTHS = " ▏▎▍▌▋▊▉█"
NOTHING = Text("nothing to show yet", "italic #8b92a0")


def bar(fraction: float, width: int) -> str:
    """A bar in steps of an eighth of a cell."""
    eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _switch(value: bool) -> str:
    return "on" if value else "off"


def variables(status: ConnectionStatus) -> list[Pair]:
    """The variables of RFC 9293 section 3.3.1, and those of congestion control and round-trip time."""
    return [
        ("SND.UNA", str(status.snd_una)),
        ("SND.NXT", str(status.snd_nxt)),
        ("SND.WND", str(status.snd_wnd)),
        ("SND.UP", str(status.snd_up)),
        ("SND.WL1", str(status.snd_wl1)),
        ("SND.WL2", str(status.snd_wl2)),
        ("ISS", str(status.iss)),
        ("in flight", str(status.in_flight)),
        ("sacked", str(status.sacked)),
        ("lost", str(status.lost)),
        ("cwnd", str(status.cwnd)),
        ("ssthresh", _number(status.ssthresh)),
        ("MSS", str(status.mss)),
        ("control", status.congestion_control),
        ("RCV.NXT", str(status.rcv_nxt)),
        ("RCV.WND", str(status.rcv_wnd)),
        ("RCV.UP", str(status.rcv_up)),
        ("IRS", str(status.irs)),
        ("snd scale", _number(status.snd_wscale)),
        ("rcv scale", _number(status.rcv_wscale)),
        ("SRTT", duration(status.srtt)),
        ("RTTVAR", duration(status.rttvar)),
        ("min RTT", duration(status.min_rtt)),
        ("RTO", duration(status.rto)),
        ("timestamps", _switch(status.timestamps)),
        ("SACK, ECN", f"{_switch(status.sack)}, {_switch(status.ecn)}"),
        ("path MTU", str(status.path_mtu)),
        ("phase", status.congestion_state.removeprefix("congestion ")),
    ]


def counters(status: ConnectionStatus) -> list[Pair]:
    """What was counted on this connection."""
    return [
        ("segments in", count(status.segments_in)),
        ("segments out", count(status.segments_out)),
        ("bytes in", count(status.bytes_in)),
        ("bytes out", count(status.bytes_out)),
        ("bytes acked", count(status.bytes_acked)),
        ("retransmitted", count(status.segments_retransmitted)),
        ("bytes retrans", count(status.bytes_retransmitted)),
        ("duplicate ACKs", count(status.duplicate_acks_in)),
        ("DSACKs", count(status.dsacks_in)),
        ("spurious", count(status.spurious_recoveries)),
        ("CE marks", count(status.ce_in)),
        ("out of order", count(status.segments_out_of_order)),
        ("duplicates", count(status.segments_duplicate)),
        ("window probes", count(status.window_probes_out)),
        ("challenge ACKs", count(status.challenge_acks_out)),
        ("PAWS drops", count(status.paws_drops)),
        ("keepalives", count(status.keepalive_probes)),
        ("last in", duration(status.last_data_in)),
        ("last out", duration(status.last_data_out)),
        ("retries now", count(status.retransmissions)),
        ("age", duration(status.age)),
    ]


class Box(Widget, can_focus=False):
    """A bordered part of the panel about one connection."""

    title = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.status: ConnectionStatus | None = None
        self.border_title = self.title

    def show(self, status: ConnectionStatus | None) -> None:
        """Show this connection."""
        self.status = status
        self.refresh(layout=True)

    def render(self) -> Text:
        """The text inside the border."""
        return NOTHING if self.status is None else self.body(self.status, self.content_size.width)

    def body(self, status: ConnectionStatus, width: int) -> Text:
        """The text for one connection, at most ``width`` cells wide."""
        raise NotImplementedError


class Variables(Box):
    """Send and receive sequence variables, windows, scales, congestion control, round-trip time."""

    title = "Variables"

    def body(self, status: ConnectionStatus, width: int) -> Text:
        return columns(variables(status), width)


class Counters(Box):
    """The connection's counters."""

    title = "Counters"

    def body(self, status: ConnectionStatus, width: int) -> Text:
        return columns(counters(status), width, count=max(1, min(width // 22, 3)))


class Timers(Box):
    """The armed timers as bars that run down between two snapshots."""

    title = "Timers"

    def __init__(self, *, id: str | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id=id)
        self._monotonic = monotonic
        self._taken = 0.0

    def on_mount(self) -> None:
        """Run down smoothly."""
        self.set_interval(0.1, self._tick)

    def _tick(self) -> None:
        if self.status is not None and self.status.timers:
            self.refresh()

    def show(self, status: ConnectionStatus | None) -> None:
        self._taken = self._monotonic()
        super().show(status)

    def body(self, status: ConnectionStatus, width: int) -> Text:
        elapsed = self._monotonic() - self._taken
        text = Text(no_wrap=True)
        for timer in status.timers:
            left = max(0.0, timer.remaining - elapsed)
            fraction = left / timer.duration if timer.duration > 0 else 0.0
            colour = "#e06c75" if "retrans" in timer.name.lower() or timer.name.lower() == "rto" else "#98c379"
            text.append(fit(clean_line(timer.name), 15), "#8b92a0")
            text.append(bar(fraction, max(4, width - 27)), f"{colour} on #21252b")
            text.append(fit(duration(left), 11, right=True) + "\n")
        if not status.timers:
            text.append("no timer is armed\n", "italic #8b92a0")
        text.right_crop()
        return text


class Queues(Box):
    """Receive and send queues of the connection, and every listener's two queues."""

    title = "Queues"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.listeners: Sequence[ListenerStatus] = ()
        self.statistics: StackStatistics | None = None

    def show_stack(self, listeners: Sequence[ListenerStatus], statistics: StackStatistics | None) -> None:
        """Show the listeners and the totals."""
        self.listeners, self.statistics = listeners, statistics
        self.refresh(layout=True)

    def render(self) -> Text:
        text = Text(no_wrap=True)
        width = self.content_size.width
        if self.status is not None:
            _gauge(text, "Recv-Q", self.status.recv_q, self.status.receive_buffer, width)
            _gauge(text, "Send-Q", self.status.send_q, self.status.send_buffer, width)
            gaps = ", ".join(f"{left}-{right}" for left, right in self.status.out_of_order[:4])
            text.append(f"beyond a gap   {gaps or '-'}\n", "#8b92a0")
        for listener in self.listeners[:4]:
            text.append(f"listening on {clean_line(endpoint(listener.address, listener.port))}\n", "bold")
            _gauge(text, "half-open", listener.half_open, listener.half_open_limit, width)
            _gauge(text, "accept", listener.accept_queue, listener.accept_queue_limit, width)
            overflows = listener.half_open_overflows + listener.accept_overflows
            text.append(f"accepted {count(listener.accepted)}  overflows {count(overflows)}  ", "#8b92a0")
            text.append(f"cookies {count(listener.cookies_sent)}\n", "#8b92a0")
        if self.statistics is not None:
            totals = self.statistics
            text.append(f"stack: segments in {count(totals.tcp_in_segs)} out {count(totals.tcp_out_segs)}", "#8b92a0")
            text.append(f" again {count(totals.tcp_retrans_segs)}\n", "#8b92a0")
        if not text:
            return NOTHING
        text.right_crop()
        return text


def _gauge(text: Text, name: str, length: int, limit: int, width: int) -> None:
    figures = f"{count(length)} / {count(limit)}"
    text.append(fit(name, 10), "#8b92a0")
    text.append(bar(length / limit if limit > 0 else 0.0, max(0, width - 28)), "#61afef on #21252b")
    text.append(fit(figures, 18, right=True) + "\n")
