# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""grafana.ini with Grafana's defaults, GF_SECTION_KEY and `$__file{}`; and the log, one logfmt line per event.

https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ and pkg/setting/expanders.go of Grafana.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from configparser import ConfigParser
from datetime import UTC, datetime
from pathlib import Path

VERSION = "13.1.10"
# The keys of Grafana's conf/defaults.ini that the double looks at.
DEFAULTS = {
    "paths.data": "data",
    "paths.provisioning": "conf/provisioning",
    "server.http_addr": "",
    "server.http_port": "3000",
    "security.admin_user": "admin",
    "security.admin_password": "admin",
    "log.level": "info",
    "log.filters": "",
    "plugins.disable_plugins": "",
    "plugins.preinstall": "",
    "plugins.preinstall_sync": "",
    "plugins.preinstall_disabled": "false",
    "plugins.public_key_retrieval_disabled": "false",
}
_LEVELS = ("debug", "info", "warn", "error", "critical")
# What is printed: {logger: least level}, "" for all others.
_shown = {"": "info"}


class StartError(Exception):
    """Grafana does not start with this; the message is the one it logs."""


def load(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of DEFAULTS. StartError when grafana.ini or a file that it names cannot be read."""
    path = environment["GF_PATHS_CONFIG"]
    parser = ConfigParser(interpolation=None)
    parser.read_string(_read(path, f'failed to parse "{path}"'))
    found = {}
    for name, default in DEFAULTS.items():
        section, key = name.split(".")
        value = environment.get(f"GF_{section}_{key}".upper(), parser.get(section, key, fallback=default))
        file = re.fullmatch(r"\$__file\{(.+)\}", value)
        words = f"got error while expanding {name} with expander 'file'"
        found[name] = _read(file[1], words).strip() if file else value
    _shown.update({"": found["log.level"]}, **dict(each.split(":") for each in found["log.filters"].split()))
    return found


def _read(path: str, words: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise StartError(f"{words}: open {path}: {os.strerror(error.errno or 0).lower()}") from None


def log(logger: str, level: str, message: str, **values: object) -> None:
    """Print `logger=… t=… level=… msg=… key=value`, quoting what needs it, unless the level is too low."""
    if _LEVELS.index(level) < _LEVELS.index(_shown.get(logger, _shown[""])):
        return
    pairs = {"logger": logger, "t": datetime.now(UTC).isoformat(), "level": level, "msg": message, **values}
    texts = {key: str(value) for key, value in pairs.items()}
    quoted = {key: text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text) for key, text in texts.items()}
    print(" ".join(f"{key}={text}" for key, text in quoted.items()), flush=True)
