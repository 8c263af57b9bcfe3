# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is on the server itself: containers, configuration files, and what the services have loaded of them.

Python 3.9, standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.loaded import in_force_since, needs_reload
from ansible_collections.crowsnest.core.plugins.module_utils.http import ServiceError, fetch
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_COMMAND
from ansible_collections.crowsnest.core.plugins.module_utils.verify.answers import Container
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    duration,
    logs_of,
    some,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import SecretDigests, Service

MIB = 1024 * 1024
# A restart within this time is worth a line.
LATELY_SECONDS = 3600


class Found(NamedTuple):
    """One file of a release: digest of its content and its rights as `0:21090:0640`."""

    sha256: str
    rights: str


# --- containers ---


def inspect(kind: str, names: list[str]) -> list[Any]:
    """What Docker reports of those that exist; `kind` is container or image. Raises ServiceError without an answer."""
    # Docker prints what it found even if one is missing.
    command = ["docker", kind, "inspect", *names]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        rows: list[Any] = json.loads(run.stdout or "[]")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"Docker does not answer: {error}") from None
    others = [line for line in run.stderr.splitlines() if line.strip() and "no such" not in line.lower()]
    if run.returncode != 0 and not rows and others:
        raise ServiceError(f"Docker does not answer: {others[0]}")
    return rows


def find_containers(services: Mapping[str, Service]) -> dict[str, Container]:
    """{service: what Docker reports of its container} for those that exist. Raises ServiceError."""
    rows: list[Container] = inspect("container", [service["container"] for service in services.values()])
    found = {row["Name"].lstrip("/"): row for row in rows}
    return {name: found[service["container"]] for name, service in services.items() if service["container"] in found}


def container_checks(services: Mapping[str, Service], containers: Mapping[str, Container], now: float) -> list[Check]:
    """All containers of the stack against the plan; `now` in seconds since 1970."""
    images = _image_ids([service["image"] for service in services.values()])
    by_service = [
        list(container_check(name, service, containers.get(name), images, now)) for name, service in services.items()
    ]
    checks = [check for found in by_service for check in found]
    right = sum(1 for found in by_service if not any(check.status == FAIL for check in found))
    detail = f"{right} of {len(services)} run with the planned image, command and memory limit"
    return [*checks, Check(PASS, "containers", detail)] if right else checks


def _image_ids(references: list[str]) -> dict[str, str]:
    """{reference: image id}, queried one by one only when one of them is missing."""
    rows = inspect("image", references)
    if len(rows) == len(references):
        return {reference: row["Id"] for reference, row in zip(references, rows)}
    found = ((reference, inspect("image", [reference])) for reference in references)
    return {reference: rows[0]["Id"] for reference, rows in found if rows}


def container_check(
    name: str, service: Service, row: Container | None, images: Mapping[str, str], now: float
) -> Iterator[Check]:
    """What is wrong with one container; `row` is what Docker reports of it, if it exists."""
    if row is None:
        yield Check(
            FAIL, "containers", f"{name} has no container", RUN_SITE, kind="services have no container", name=name
        )
        return
    state = row["State"]
    if state["Status"] != "running":
        ended = f" with exit code {state['ExitCode']}" if state["Status"] in ("exited", "restarting", "dead") else ""
        detail, advice = f"{name} is {state['Status']}{ended}", f"{logs_of(name)} {RUN_SITE}"
        yield Check(
            FAIL, "containers", detail, advice, kind="containers do not run", name=f"{name} ({state['Status']})"
        )
        return
    since = now - seconds_of(state["StartedAt"])
    if state["OOMKilled"]:
        detail = f"{name} hit its memory limit of {service['limit_mib']} MiB and one of its processes was killed"
        yield Check(WARN, "containers", detail, f"{logs_of(name)} A larger bundle, or less to watch, helps.")
    elif row["RestartCount"] and since < LATELY_SECONDS:
        count, last = row["RestartCount"], duration(since)
        detail = f"{name} was restarted by Docker, {count} time(s) in total, most recently {last} ago"
        yield Check(WARN, "containers", detail, logs_of(name))
    differences = list(_differences(service, row, images))
    if differences:
        # Compose compares its files, not what somebody changed in a running container.
        recreate = f"{COMPOSE_COMMAND} up --detach --force-recreate {name}"
        advice = f"Run `./crowsnest site` with the same -i. If that does not help, run on the server: `{recreate}`."
        detail, kind = f"{name} runs with {'; '.join(differences)}", "containers are not as planned"
        yield Check(FAIL, "containers", detail, advice, kind=kind, name=name)


def _differences(service: Service, row: Container, images: Mapping[str, str]) -> Iterator[str]:
    image, config, memory = service["image"], row["Config"], row["HostConfig"]["Memory"]
    if row["Image"] != images.get(image):
        yield f"the image {config['Image']} ({row['Image'][7:19]}) instead of {image}"
    if memory != service["limit_mib"] * MIB:
        yield (
            f"a memory limit of {memory // MIB} MiB instead of {service['limit_mib']} MiB"
            if memory
            else f"no memory limit instead of {service['limit_mib']} MiB"
        )
    runs, planned = config["Cmd"] or [], service["command"]
    if planned and runs != planned:
        odd, lost = (
            [argument for argument in one if argument not in other] for one, other in ((runs, planned), (planned, runs))
        )
        yield f"a different command: {some(odd) or 'nothing'} instead of {some(lost) or 'nothing'}"
    if config["User"] != f"{service['user']}:{service['user']}":
        yield f"the user {config['User'] or 'root'} instead of {service['user']}"
    environment = [name for name, value in service["environment"].items() if f"{name}={value}" not in config["Env"]]
    if environment:
        yield f"a different value of {some(environment)}"
    if any(config["Labels"].get(name) != value for name, value in service["labels"].items()):
        yield "an older configuration than the one in force, which it reads only when it starts"


def seconds_of(time: str) -> float:
    """Seconds since 1970 of Docker's and Prometheus' times, such as 2026-11-21T11:42:06.775155153Z."""
    return datetime.strptime(time[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


# --- files ---


def read_release(path: str) -> dict[str, Found]:
    """All files below `current` of a configuration directory, by relative path. Raises OSError."""
    root = Path(path, "current")
    root.stat()
    found = {}
    for folder, _, names in os.walk(root):
        for file in (Path(folder, name) for name in names):
            state = file.lstat()
            content = file.read_bytes() if stat.S_ISREG(state.st_mode) else b"(no regular file)"
            rights = f"{state.st_uid}:{state.st_gid}:{stat.S_IMODE(state.st_mode):04o}"
            found[str(file.relative_to(root))] = Found(hashlib.sha256(content).hexdigest(), rights)
    return found


def file_checks(services: Mapping[str, Service], secrets: SecretDigests) -> list[Check]:
    """The current release of every service against what is generated."""
    checks: list[Check] = []
    count = 0
    for name, service in services.items():
        wanted = {**service["files"], **secrets.get(name, {})}
        count += len(wanted)
        try:
            found = read_release(service["path"])
        except OSError as error:
            detail, kind = (
                f"{name}: {error.filename}: {error.strerror}",
                "services have no readable configuration",
            )
            checks.append(Check(FAIL, "files", detail, RUN_SITE, kind=kind, name=name))
            continue
        checks += release_checks(name, service["path"], wanted, found, f"0:{service['user']}:0640")
    return checks or [
        Check(PASS, "files", f"{count} of {count} are as generated, with their rights, and there are no others")
    ]


def release_checks(
    name: str, path: str, wanted: Mapping[str, str], found: Mapping[str, Found], rights: str
) -> list[Check]:
    """How the files of one service differ; at most one line."""
    common = [file for file in wanted if file in found]
    kinds = {
        "changed": [file for file in common if found[file].sha256 != wanted[file]],
        "missing": [file for file in wanted if file not in found],
        "not generated": [file for file in found if file not in wanted],
        f"other rights than {rights}": [file for file in common if found[file].rights != rights],
    }
    differences = [f"{kind}: {some(sorted(files))}" for kind, files in kinds.items() if files]
    if not differences:
        return []
    advice = f"Changed by hand in {path}/current, or declared since. {RUN_SITE} With --check --diff it shows them."
    kind = "services have files that are not as generated"
    return [Check(FAIL, "files", f"{name}: {'; '.join(differences)}", advice, kind=kind, name=name)]


# --- what is loaded ---


def loaded_checks(services: Mapping[str, Service], metrics: Mapping[str, str]) -> list[Check]:
    """Whether each service that reloads its configuration uses the one in force; `metrics` are of those that answer."""
    reloading = {name: service["path"] for name, service in services.items() if service["reloads"] and name in metrics}
    checks = [check for name, path in reloading.items() for check in _loaded(name, metrics[name], in_force_since(path))]
    if checks or not reloading:
        return checks
    return [Check(PASS, "configuration", f"in force in {', '.join(reloading)}")]


def _loaded(name: str, metrics: str, swapped_at: float) -> Iterator[Check]:
    if re.search(r"^\w+_config_last_reload_successful 0$", metrics, re.MULTILINE):
        detail = f"{name} refuses its newest configuration and keeps an older one"
        yield Check(FAIL, "configuration", detail, logs_of(name))
    elif needs_reload(metrics, swapped_at):
        yield Check(FAIL, "configuration", f"{name} runs with an older configuration than the one in force", RUN_SITE)


def read_metrics(services: Mapping[str, Service]) -> dict[str, str | ServiceError]:
    """{service: its metrics, or why there are none}, queried in parallel; with a key if the service needs one.

    A service without metrics reports its health instead; one that speaks no HTTP is left out.
    """
    asked = {name: service for name, service in services.items() if service["answers"]}

    def ask(service: Service) -> str | ServiceError:
        try:
            key = Path(service["key"]).read_text(encoding="utf-8") if service["key"] else ""
            status, text = fetch(service["url"] + service["answers"], user="crowsnest" if key else "", password=key)
        except ServiceError as error:
            return error
        except OSError as error:
            return ServiceError(f"the key for its metrics cannot be read: {error.filename}: {error.strerror}")
        return text if status == 200 else ServiceError(f"HTTP {status}")

    with ThreadPoolExecutor(len(asked)) as pool:
        return dict(zip(asked, pool.map(ask, asked.values())))
