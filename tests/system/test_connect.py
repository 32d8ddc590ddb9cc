"""Connections between us and the kernel, opened by either, refused by either."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from tcpcore.driver import Host, TCPStream
from tests.system.kernel import (
    NEIGHBOURS,
    OURS,
    OURS6,
    connect_kernel,
    deadline,
    echo,
    listen_kernel,
    one_listener,
    pair_from_kernel,
    pair_from_us,
    port_of,
    receive_all,
    states,
    tcp_info,
)

MakePair = Callable[[Host, str], Awaitable[tuple[TCPStream, trio.SocketStream]]]

pytestmark = pytest.mark.tun

both_versions = pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])


@both_versions
async def test_kernel_client_is_echoed(host: Host, address: str) -> None:
    with deadline():
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(trio.serve_listeners, echo, await host.open_tcp_listeners(0))
            async with await connect_kernel(address, listener.port) as kernel:
                await kernel.send_all(b"is anybody there?")
                await kernel.send_eof()
                assert await receive_all(kernel) == b"is anybody there?"
            nursery.cancel_scope.cancel()


@both_versions
async def test_many_kernel_clients_at_once(host: Host, address: str, rng: random.Random) -> None:
    async def client(port: int, message: bytes) -> None:
        async with await connect_kernel(address, port) as kernel:
            await kernel.send_all(message)
            await kernel.send_eof()
            assert await receive_all(kernel) == message

    with deadline():
        async with trio.open_nursery() as servers:
            (listener,) = await servers.start(trio.serve_listeners, echo, await host.open_tcp_listeners(0))
            async with trio.open_nursery() as clients:
                for _ in range(100):
                    clients.start_soon(client, listener.port, rng.randbytes(rng.randrange(1, 5000)))
            servers.cancel_scope.cancel()
    assert host.statistics().tcp_passive_opens == 100


@both_versions
async def test_we_connect_to_a_kernel_listener(host: Host, address: str) -> None:
    with deadline():
        ours, kernel = await pair_from_us(host, address)
        async with ours, kernel:
            assert ours.local[0] == address
            assert ours.remote[0] == NEIGHBOURS[address]
            assert states(ours) == ("ESTABLISHED", "ESTABLISHED")
            await ours.send_all(b"hello")
            assert await kernel.receive_some() == b"hello"
            await kernel.send_all(b"welcome")
            assert await ours.receive_some() == b"welcome"


@both_versions
async def test_kernel_is_refused_at_a_closed_port(host: Host, address: str) -> None:
    async with await one_listener(host) as listener:
        port = listener.port
    with deadline(), pytest.raises(ConnectionRefusedError):
        await connect_kernel(address, port)
    assert host.statistics().tcp_out_rsts == 1


@both_versions
async def test_we_are_refused_at_a_closed_port(host: Host, address: str) -> None:
    async with await listen_kernel(NEIGHBOURS[address]) as listener:
        port = port_of(listener)
    with deadline(), pytest.raises(ConnectionRefusedError):
        await host.open_tcp_stream(NEIGHBOURS[address], port)
    assert host.stack.connections() == []


@both_versions
@pytest.mark.parametrize("pair", [pair_from_kernel, pair_from_us], ids=["kernel-opens", "we-open"])
async def test_both_ends_agree_on_the_options(host: Host, address: str, pair: MakePair) -> None:
    with deadline():
        ours, kernel = await pair(host, address)
        async with ours, kernel:
            await kernel.send_all(b"x")
            await ours.receive_some()
            status, info = ours.status(), tcp_info(kernel)
    fixed_headers = 40 if address == OURS else 60
    assert info.timestamps
    assert status.timestamps
    assert info.window_scaling
    assert (info.snd_wscale, info.rcv_wscale) == (status.rcv_wscale, status.snd_wscale)
    assert info.snd_mss == status.mss == 1500 - fixed_headers - 12
    assert info.advmss == 1500 - fixed_headers - 12
    assert info.total_retrans == 0
