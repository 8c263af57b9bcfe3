# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest scan`, after its playbook has chosen what is asked: progress on stderr, the result on stdout."""

from __future__ import annotations

import asyncio
import signal
import sys

from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.probing import probe, source
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.scan import (
    Answers,
    Scan,
    State,
    Target,
    doubt,
    judged,
    numbers,
    order,
    table,
)

INTERRUPTED = 130
WRONG, CANNOT = 1, 2


def main(text: str) -> int:
    """Asks what the text, a Scan as JSON, says. The exit status: 0 when all is as declared and nothing in doubt."""
    try:
        return asyncio.run(_scan(Scan.model_validate_json(text)))
    except OSError as error:
        print(f"crowsnest: this machine cannot connect any more: {error}", file=sys.stderr)
        return CANNOT


async def _scan(scan: Scan) -> int:
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else sys.exit)
    bad = 0
    for target in scan.targets:
        ports, own = order(target, numbers(scan.ports)), source(target.address)
        states: dict[int, State] = {}
        telling, stopped = asyncio.create_task(_progress(target, states, len(ports))), False
        try:
            alive = bool(own) and await probe(target, ports, scan.rate, states)
        except asyncio.CancelledError:
            stopped = alive = True
        finally:
            telling.cancel()
            print("\r\033[K" if sys.stderr.isatty() else "", end="", file=sys.stderr, flush=True)
        answers = Answers(own, states, alive)
        print(*table(scan, target, answers, len(ports)), "", sep="\n", flush=True)
        if stopped:
            print("Stopped; this is not all.")
            return INTERRUPTED
        bad += bool(doubt(target, answers)) or any(row.wrong for row in judged(scan, target, answers))
    count = len(scan.targets)
    print(*scan.notes, f"{count - bad} of {count} addresses are as declared.", sep="\n")
    return WRONG if bad else 0


async def _progress(target: Target, states: dict[int, State], count: int) -> None:
    """One line that changes on a terminal, else a line every ten seconds."""
    start, end, pause = ("\r\033[K", "", 1) if sys.stderr.isatty() else ("", "\n", 10)
    while True:
        await asyncio.sleep(pause)
        found = sum(state == "open" for state in states.values())
        line = f"{', '.join(target.hosts)} at {target.address}: {len(states):,} of {count:,} ports, {found} open"
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
