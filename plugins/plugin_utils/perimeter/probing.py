# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks ports whether they are open, slowly enough for a small host and for a router at home."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.scan import State, Target

# A kernel repeats an unanswered SYN after a second (RFC 6298), so one lost packet is no wrong answer.
_WAIT_SECONDS = 2.0
# As many as wait for an answer where nothing answers, at the highest rate.
_AT_ONCE = 500
# What is late, as after a pause of this machine, is made up for by so many seconds' worth of connections, not by more.
_BURST_SECONDS = 0.1
# What routers and firewalls say instead of silence.
_NO_WAY = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.EACCES)


async def probe(target: Target, ports: Sequence[int], rate: int, states: dict[int, State]) -> bool:
    """Connects to each port once, in this order, and writes into `states`; whether the host answers at the end.

    Raises OSError for what is no answer, such as too many open files.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most > 2 * _AT_ONCE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * _AT_ONCE, most))
    loop, places = asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)

    async def ask(port: int) -> None:
        try:
            states[port] = await _state(target.address, port)
        finally:
            places.release()

    try:
        async with asyncio.TaskGroup() as group:
            due = loop.time()
            for port in ports:
                await asyncio.sleep(due - loop.time())
                await places.acquire()
                due = max(due, loop.time() - _BURST_SECONDS) + 1 / rate
                group.create_task(ask(port))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    answered = [port for port, state in states.items() if state != "filtered"]
    if any(port in target.ssh for port in answered):
        return True
    return bool(answered) and await _state(target.address, answered[0]) != "filtered"


async def _state(address: str, port: int) -> State:
    with socket.socket(_family(address), socket.SOCK_STREAM) as own:
        own.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(own, (address, port)), _WAIT_SECONDS)
        except (ConnectionRefusedError, ConnectionResetError):
            return "closed"
        except TimeoutError:
            return "filtered"
        except OSError as error:
            if error.errno in _NO_WAY:
                return "filtered"
            raise
    return "open"


def source(address: str) -> str:
    """This machine's own address on the way there; empty without a way. Sends nothing."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as own:
        try:
            own.connect((address, 9))
        except OSError:
            return ""
        return str(own.getsockname()[0])


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
