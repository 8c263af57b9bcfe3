# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How pip on this machine reaches its index, and the same for a host of the lab; no address is built in.

Where pip looks for its settings: https://pip.pypa.io/en/stable/topics/configuration/
"""

import configparser
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

# What decides whether the index is reached. All else (folders, formats, time limits) is this machine's own.
CARRIED = ("index-url", "extra-index-url", "trusted-host", "cert", "proxy")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
CONFIG, BUNDLE = "etc/pip.conf", "etc/crowsnest-lab/ca-bundle.crt"


def config_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """pip's configuration files; a later one wins."""
    given = environment.get("PIP_CONFIG_FILE", "")
    if given == os.devnull:
        return []
    system = [Path(folder, "pip/pip.conf") for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip/pip.conf")
    return [*reversed(system), Path("/etc/pip.conf"), home / ".pip/pip.conf", user, *([Path(given)] if given else [])]


def read_settings(files: list[Path], environment: Mapping[str, str]) -> dict[str, str]:
    """The carried settings of `pip install` here: from its files, then from its variables, then from common ones."""
    parser = configparser.RawConfigParser()
    parser.read(files, encoding="utf-8")
    found = {name: environment[name] for name in CERTIFICATES if environment.get(name)}
    settings = {"cert": next(iter(found.values()))} if found else {}
    for section in ("global", "install"):
        settings |= {key.replace("_", "-"): value for key, value in parser.items(section)} if section in parser else {}
    settings |= {key: environment[name] for key in CARRIED if environment.get(name := variable(key))}
    settings = {key: settings[key] for key in CARRIED if settings.get(key)}
    return settings if "proxy" in settings else settings | _proxy(settings.get("index-url", ""), environment)


def variable(key: str) -> str:
    """Name of the variable by which pip takes a setting."""
    return "PIP_" + key.upper().replace("-", "_")


def _proxy(index_url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The common variables as pip's own setting, as sudo and systemd hand no variables on."""
    proxies = {name.lower(): value for name, value in sorted(environment.items()) if value}  # the small ones win
    url = proxies.get("https_proxy") or proxies.get("http_proxy")
    host = urlsplit(index_url).hostname or ""
    bypassed = urllib.request.proxy_bypass_environment(host, {"no": proxies.get("no_proxy", "")})
    return {"proxy": url} if url and not bypassed else {}


def render(settings: Mapping[str, str]) -> str:
    """A pip.conf; what has several lines is indented."""
    lines = [f"{key} = {value.strip()}".replace("\n", "\n    ") for key, value in settings.items()]
    return "\n".join(["[global]", *lines]) + "\n"


def host_files(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> dict[str, tuple[str, int]]:
    """{path: (text, mode)} for a host of the lab; empty where pip here has nothing special."""
    settings = read_settings(config_files(environment, home or Path.home()), environment)
    files = {}
    if Path(settings.get("cert", "")).is_file():
        files[BUNDLE] = (Path(settings["cert"]).read_text(encoding="utf-8"), 0o644)
        settings["cert"] = f"/{BUNDLE}"
    else:
        settings.pop("cert", None)  # a folder of hashed names: no single file that could be carried
    return files | ({CONFIG: (render(settings), 0o644)} if settings else {})
