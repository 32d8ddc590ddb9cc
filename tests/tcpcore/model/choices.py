"""The configurations and options that the model's users choose from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tcpcore import Config

PATIENT = Config(msl=1.0, min_rto=0.25, retries=200, syn_retries=200, syn_ack_retries=200, fin_wait_2_timeout=900.0)
"""Nobody gives up because the network is bad for as long as a test lasts."""

configs = st.builds(
    lambda **chosen: replace(PATIENT, **chosen),
    timestamps=st.booleans(),
    sack=st.sampled_from([True, True, False]),
    ecn=st.sampled_from(["on", "passive", "off"]),
    congestion_control=st.sampled_from(["cubic", "reno", "bbr"]),
    window_scaling=st.booleans(),
    nodelay=st.booleans(),
    delayed_ack=st.sampled_from([0.0, 0.04]),
    send_buffer=st.sampled_from([200_000, 200_000, 5000, 100, 1]),
    receive_buffer=st.sampled_from([None, None, 200_000, 65_535, 3000, 100, 1]),
    receive_buffer_initial=st.sampled_from([100_000, 1000]),
    max_receive_buffer=st.sampled_from([1_000_000, 5000]),
    receive_memory=st.sampled_from([1 << 20, 1000]),
    max_out_of_order=st.sampled_from([1024, 1024, 1]),
    syn_backlog=st.sampled_from([1024] * 5 + [1]),
    syn_cookies=st.sampled_from(["when-full"] * 5 + ["never", "always"]),
    accept_overflow=st.sampled_from(["drop"] * 5 + ["reset"]),
    mss=st.sampled_from([None, None, 100]),
    mtu_probing=st.sampled_from(["off", "black-hole", "always"]),
    rfc1337=st.booleans(),
)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "nodelay": st.booleans(),
    "congestion_control": st.sampled_from(["cubic", "reno", "bbr"]),
    "cork": st.booleans(),
    "pacing": st.booleans(),
    "ttl": st.integers(1, 255),
    "traffic_class": st.sampled_from([0, 0xB8]),
    "mtu_probing": st.sampled_from(["off", "black-hole", "always"]),
    "r1": st.integers(0, 3),
    "advertise_user_timeout": st.booleans(),
    "adapt_user_timeout": st.booleans(),
    "user_timeout_min": st.sampled_from([0.5, 100.0]),
    "user_timeout_max": st.sampled_from([200.0, 3600.0]),
    "keepalive": st.booleans(),
    "keepalive_idle": st.sampled_from([0.5, 100.0]),
    "keepalive_interval": st.sampled_from([0.5, 75.0]),
    "keepalive_count": st.integers(1, 3),
    "linger": st.sampled_from([None, 0.0, 3.0]),
    "user_timeout": st.sampled_from([None, 0.5, 30.0]),
    "send_buffer": st.sampled_from([1, 1000, 100_000]),
    "receive_buffer": st.sampled_from([None, 500, 100_000]),
    "delayed_ack": st.sampled_from([0.0, 0.2]),
    "retries": st.sampled_from([1, 200]),
    "fin_wait_2_timeout": st.sampled_from([1.0, 900.0]),
}
ENDING = ("keepalive", "linger", "user_timeout", "advertise_user_timeout", "retries", "fin_wait_2_timeout")
"""Options that let a connection, or the peer's, end before its streams do."""
