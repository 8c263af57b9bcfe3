#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_admin
short_description: Give a running Grafana the declared password, data sources and names of folders
description:
  - Waits until Grafana answers and logs in with the password. When Grafana refuses it, sets it with Grafana's own
    command in the container, which reads it from standard input, so it appears in no process list.
  - Grafana uses the password of its configuration only when it creates its database. Because the module decides by a
    login, the next run corrects a password that was rotated or changed by hand.
  - Compares the data sources that are in force with O(datasources). When they differ, Grafana reads its provisioning
    files again, without a restart.
  - Renames folders, as Grafana takes a folder's title of its provisioning only when it creates the folder.
options:
  url:
    description: Where Grafana answers on the host.
    type: str
    required: true
  user:
    description: Name of the user, the first one in Grafana's database.
    type: str
    default: admin
  password:
    description: The password that the user must have.
    type: str
    required: true
  container:
    description: Name of Grafana's container.
    type: str
    required: true
  datasources:
    description: The data sources of the provisioning file in force, in that file's format.
    type: list
    elements: dict
    default: []
  folders:
    description: Maps the uid of a folder to its title. One that does not exist is left to the provisioning.
    type: dict
    default: {}
  timeout:
    description: How long to wait until Grafana answers, in seconds.
    type: int
    default: 180
attributes:
  check_mode:
    description:
      - Reports whether the password would be set, the data sources read again or folders renamed, if Grafana answers.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Set the password of the user admin
  crowsnest.core.grafana_admin:
    url: http://127.0.0.1:3000
    password: "{{ vault_grafana_admin_password }}"
    container: crowsnest-grafana-1
    datasources:
      - {name: Prometheus, uid: prometheus, type: prometheus, url: "http://127.0.0.1:9090", access: proxy}
"""

RETURN = r"""
password_set:
  description: Whether the password was a different one and was set.
  type: bool
  returned: success
datasources_read:
  description: Names of the data sources that were not as declared.
  type: list
  elements: str
  returned: success
folders_renamed:
  description: New titles of the folders that had another one.
  type: list
  elements: str
  returned: success
waited_seconds:
  description: How long Grafana took to answer.
  type: float
  returned: success
"""

import json
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError, fetch
from ansible_collections.crowsnest.core.plugins.module_utils.paths import logs_command

LOGS = f"See `{logs_command('grafana')}` on the host."
# https://grafana.com/docs/grafana/latest/administration/cli/#reset-admin-password
RESET = ["grafana", "cli", "admin", "reset-admin-password", "--password-from-stdin"]


class GrafanaError(Exception):
    """Grafana does not answer or refuses; the text says what to do."""


def wait_until_ready(url: str, timeout_seconds: float) -> float:
    """Seconds until the health page reports that the database works. Raises GrafanaError if it does not in time."""
    start = time.monotonic()
    while True:
        try:
            status, text = fetch(f"{url}/api/health", 10)
            state = json.loads(text).get("database") if status == 200 else f"HTTP {status}"
        except (NoAnswerError, ValueError) as error:
            state = str(error)
        waited = time.monotonic() - start
        if state == "ok":
            return waited
        if waited >= timeout_seconds:
            raise GrafanaError(f"Grafana is not ready at {url} after {waited:.0f} s: {state}. {LOGS}")
        time.sleep(0.5)


class LoginError(GrafanaError):
    """Grafana refuses user and password."""


class LockedError(GrafanaError):
    """Somebody tried wrong passwords too often; that must not stop the rest of a run."""


class Grafana:
    """Grafana's HTTP API as one user: https://grafana.com/docs/grafana/latest/developers/http_api/"""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The JSON of an answer. Raises LoginError or GrafanaError."""
        try:
            status, text = fetch(self.url + path, 30, self.user, self.password, method, body)
            if status == 200:
                return json.loads(text)
        except (NoAnswerError, ValueError) as error:
            raise GrafanaError(f"Grafana does not answer {method} {path}: {error}. {LOGS}") from None
        if status == 401:
            raise LoginError("Grafana refuses the password.")
        raise GrafanaError(f"Grafana answers {method} {path} with status {status}: {text[:300]} {LOGS}")

    def logs_in(self) -> bool:
        """Whether Grafana takes user and password."""
        try:
            self.ask("/api/user")
        except LoginError:
            return False
        return True


def set_password(container: str, password: str) -> None:
    """Sets it by Grafana's own command. Raises GrafanaError with the command's own words."""
    command = ["docker", "exec", "--interactive", container, *RESET]
    try:
        run = subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GrafanaError(f"The password of Grafana cannot be set: {error}") from None
    if run.returncode != 0:
        reason = (run.stderr or run.stdout).strip().replace(password, "***")[-500:]
        raise GrafanaError(f"The password of Grafana cannot be set: {reason}")


def ensure_password(grafana: Grafana, container: str, check_mode: bool) -> bool:
    """Whether the password was a different one; then it is set, unless in check mode. Raises GrafanaError."""
    if grafana.logs_in():
        return False
    if not check_mode:
        set_password(container, grafana.password)
        if not grafana.logs_in():
            raise LockedError(
                f"Grafana still refuses the user {grafana.user} after its password was set. After five wrong logins it "
                "refuses any for five minutes: wait, then run again. Its data sources were not checked."
            )
    return True


# The fields that Grafana shows of a data source and that are not secret, with the value that a missing key stands for.
COMPARED = {"name": "", "type": "", "url": "", "access": "proxy", "isDefault": False, "basicAuth": False, "user": ""}


def unlike(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """Names of data sources, by uid, that are missing, or are not as wanted."""
    by_uid = {source["uid"]: source for source in found}
    return [source["name"] for source in wanted if _differs(source, by_uid.get(source["uid"]))]


def _differs(wanted: dict[str, Any], found: dict[str, Any] | None) -> bool:
    if found is None or any(found.get(key, absent) != wanted.get(key, absent) for key, absent in COMPARED.items()):
        return True
    options = found.get("jsonData", {})
    return any(options.get(key) != value for key, value in wanted.get("jsonData", {}).items())


def ensure_datasources(grafana: Grafana, wanted: list[dict[str, Any]], check_mode: bool) -> list[str]:
    """Names of data sources that were not as wanted and are read again, unless in check mode. Raises GrafanaError."""
    differing = unlike(wanted, grafana.ask("/api/datasources"))
    if differing and not check_mode:
        grafana.ask("/api/admin/provisioning/datasources/reload", "POST")
        if still := unlike(wanted, grafana.ask("/api/datasources")):
            raise GrafanaError(f"Grafana does not take the data sources {', '.join(still)}. {LOGS}")
    return differing


def ensure_folders(grafana: Grafana, wanted: dict[str, str], check_mode: bool) -> tuple[list[str], list[str]]:
    """(titles of folders that had another one and are renamed, unless in check mode; why Grafana refuses some).

    Raises GrafanaError.
    """
    found = {folder["uid"]: folder["title"] for folder in (grafana.ask("/api/folders") if wanted else [])}
    renamed, refusals = [], []
    for uid, title in wanted.items():
        if found.get(uid, title) == title:
            continue
        try:
            if not check_mode:
                grafana.ask(f"/api/folders/{uid}", "PUT", {"title": title, "overwrite": True})
            renamed.append(title)
        except GrafanaError as error:  # a title is not worth a run that ends
            refusals.append(f"The folder {found[uid]} keeps its title instead of {title}: {error}")
    return renamed, refusals


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "user": {"type": "str", "default": "admin"},
            "password": {"type": "str", "required": True, "no_log": True},
            "container": {"type": "str", "required": True},
            "datasources": {"type": "list", "elements": "dict", "default": []},
            "folders": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        waited = wait_until_ready(wanted["url"], 0 if module.check_mode else wanted["timeout"])
        grafana = Grafana(wanted["url"], wanted["user"], wanted["password"])
        password_set = ensure_password(grafana, wanted["container"], module.check_mode)
        unknown = module.check_mode and password_set  # what lies behind the login cannot be seen
        read = [] if unknown else ensure_datasources(grafana, wanted["datasources"], module.check_mode)
        renamed, refusals = ensure_folders(grafana, {} if unknown else wanted["folders"], module.check_mode)
        for refusal in refusals:
            module.warn(refusal)
    except LockedError as error:
        module.warn(str(error))
        nothing: dict[str, Any] = {"datasources_read": [], "folders_renamed": []}
        module.exit_json(changed=True, password_set=True, **nothing, waited_seconds=round(waited, 1))
    except GrafanaError as error:
        if module.check_mode:
            nothing = {"datasources_read": [], "folders_renamed": []}
            module.exit_json(changed=False, password_set=False, **nothing, waited_seconds=0.0, msg=str(error))
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=password_set or bool(read or renamed),
        password_set=password_set,
        datasources_read=read,
        folders_renamed=renamed,
        waited_seconds=round(waited, 1),
    )


if __name__ == "__main__":
    main()
