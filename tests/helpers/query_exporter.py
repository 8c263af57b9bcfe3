# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The real query exporter as the laboratory's image has it, started with what crowsnest writes for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import exporters
import requests
from locked_packages import of_pypi
from programs import REPOSITORY, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

_LOCK = REPOSITORY / "molecule/lab/images/query_exporter"


@contextmanager
def running(context: Context, folder: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """The path of its log. `files` are those of its container, without the secret ones."""
    planned, service = context.services["query_exporter"], context.definition("query_exporter")
    secrets = context.secret_files("query_exporter")
    exporters.write(folder, {**files, **secrets})
    command = [
        str(of_pypi(_LOCK) / "query-exporter"),
        *(word.replace(CONFIG_IN_CONTAINER, str(folder)) for word in service.container(context, planned).command),
    ]
    log = folder / "query_exporter.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        requests.get(f"{planned.url}/metrics", timeout=5)
        return True

    try:
        until(answers, 60)
        yield log
    finally:
        process.terminate()
        process.wait(30)
