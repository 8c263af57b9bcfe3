#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: service_reload
short_description: Make running services use the configuration that is in force
description:
  - Waits until each service answers and compares the time of its last successful reload, which it exports as a metric,
    with the time at which M(crowsnest.core.config_directory) brought its configuration into force. Reloads those that
    run with an older one.
  - Because it decides by state instead of by notification, the next run makes up for one that was interrupted before
    a reload.
  - Works for Prometheus, Alertmanager and the blackbox exporter, which reload on C(POST /-/reload), answer with an
    error when they cannot use the configuration, and then keep the one they have.
  - Caddy tells the configuration with which it runs on the socket of its admin API, and takes another one there.
options:
  services:
    description:
      - Maps a service's name to its C(url) and the C(path) of its configuration directory.
      - For Caddy to the C(socket) of its admin API and the C(file) of its configuration below C(path).
    type: dict
    required: true
  timeout:
    description: How long to wait until a service answers, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    description: Reports which services run with an older configuration than the one in force, if they answer.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Reload services that run with an older configuration
  crowsnest.core.service_reload:
    services:
      prometheus: {url: "http://127.0.0.1:9090", path: /opt/crowsnest/prometheus}
      proxy: {socket: /var/lib/crowsnest/proxy/admin.sock, path: /opt/crowsnest/proxy, file: caddy.json}
"""

RETURN = r"""
reloaded:
  description: Names of the services that were reloaded.
  type: list
  elements: str
  returned: always
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils import caddy
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.loaded import in_force_since, needs_reload
from ansible_collections.crowsnest.core.plugins.module_utils.loopback import DIRECT
from ansible_collections.crowsnest.core.plugins.module_utils.paths import logs_command

T = TypeVar("T")


class ServiceError(Exception):
    """A service does not answer or refuses its configuration; the text says what to do."""


def answered(name: str, where: str, ask: Callable[[], T], timeout_seconds: float) -> T:
    """What a service answers, once it does. Raises ServiceError when it does not in time."""
    end = time.monotonic() + timeout_seconds
    while True:
        try:
            return ask()
        except (OSError, HTTPException) as error:
            if time.monotonic() >= end:
                raise ServiceError(
                    f"{name} does not answer at {where} ({error}). See `{logs_command(name)}` on the host."
                ) from None
        time.sleep(0.5)


def read_metrics(url: str) -> str:
    """Raises OSError or HTTPException."""
    with DIRECT.open(f"{url}/metrics", timeout=10) as answer:
        return str(answer.read().decode(errors="replace"))


def reload(name: str, url: str) -> None:
    """Raises ServiceError with the service's own words."""
    try:
        with DIRECT.open(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=60):  # noqa: S310 - as above
            return
    except urllib.error.HTTPError as error:
        reason = error.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        reason = str(error)
    raise refused(name, reason)


def load(name: str, socket: str, text: str) -> None:
    """As `reload`, for Caddy."""
    try:
        caddy.load(socket, text)
    except (OSError, caddy.RefusedError) as error:
        raise refused(name, str(error)) from None


def refused(name: str, reason: str) -> ServiceError:
    """What a service says that keeps the configuration it has."""
    return ServiceError(f"{name} keeps its old configuration because it refuses the new one: {reason}")


def make_current(name: str, service: Mapping[str, str], timeout_seconds: float, predict: bool) -> bool:
    """Whether the service runs with another configuration than the one in force; it then reloads, but to predict.

    Raises ServiceError.
    """
    if "socket" in service:
        file = Path(service["path"], "current", service["file"])
        if predict and not file.exists():  # on a fresh host
            return False
        text = file.read_text(encoding="utf-8")
        running = answered(name, service["socket"], lambda: caddy.running(service["socket"]), timeout_seconds)
        if running == json.loads(text):
            return False
        if not predict:
            load(name, service["socket"], text)
    else:
        metrics = answered(name, service["url"], lambda: read_metrics(service["url"]), timeout_seconds)
        if not needs_reload(metrics, in_force_since(service["path"])):
            return False
        if not predict:
            reload(name, service["url"])
    return True


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    reloaded, failures = [], []
    for name, service in module.params["services"].items():
        try:
            timeout = 0 if module.check_mode else module.params["timeout"]
            if make_current(name, service, timeout, module.check_mode):
                reloaded.append(name)
        except ServiceError as error:
            failures.append(str(error))
    if failures and not module.check_mode:
        module.fail_json(msg=" ".join(failures), reloaded=reloaded)
    module.exit_json(changed=bool(reloaded), reloaded=reloaded)


if __name__ == "__main__":
    main()
