#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: env_file
short_description: Set some keys of an app's env file, and recreate the services that read it
version_added: 1.0.0
description:
  - Makes an env file hold exactly the given keys beside those of the app. Every other byte stays - comments, order,
    line ends - and so do the file's owner, mode and ACL. A symlink stays, and its target is changed.
  - Keys that an earlier task set and that are no longer given are removed, even if somebody changed their lines since.
    Where a key was there before, its old line comes back, byte for byte; a warning says so when the key is first set.
    So give all keys for a file in one task.
  - A value is written so that docker compose, python-dotenv, django-environ, python-decouple, dotenv, Node.js,
    systemd and sh all read it alike. A value for which there is no such spelling is refused.
  - C(docker run --env-file) takes quotes for a part of the value. Without quotes stand values of letters, digits and
    C(_./:@%+,=-) only.
  - The last assignment of a key counts, as for all readers, and is the one that is replaced, with a comment that
    stands behind its value. A key that is set several times, and C(export) in front of one, is a warning.
  - The file is not created, since it is the app's - only the app knows who may read it.
  - A file that git tracks is not changed, as the team's next C(git pull) would fail. The message has the lines to
    paste.
options:
  path:
    description: Absolute path of the env file.
    type: path
    required: true
  values:
    description: Keys and their values, texts in one line. They are shown in diffs and messages.
    type: dict
    default: {}
  secrets:
    description: More keys, like O(values), whose values are never shown.
    type: dict
    default: {}
  keep:
    description: Keys whose value is not known now. A line of them that was set by this module stays as it is.
    type: list
    elements: str
    default: []
  rebuild_keys:
    description:
      - Keys that are read only while a frontend is built. A change of them recreates nothing. A value with C($) is
        refused for them, as Vite, Create React App and Next.js expand it even in quotes.
    type: list
    elements: str
    default: []
  compose:
    description: Absolute path of the compose file of the services in O(recreate).
    type: path
  recreate:
    description:
      - Services that are recreated when a key changes, since a restart alone keeps the environment. Those that do not
        run are not started.
      - The project is called as it was started, with its name and further compose files. Nothing is built or pulled.
      - Where compose would recreate a service even without the change, as an edit or an image waits to be deployed, or
        cannot tell, or where there is no Docker, the file is written, nothing is recreated, and a warning says why.
      - When a service does not become healthy, the old file comes back, the services are recreated with it, and the
        task fails with the end of the log.
    type: list
    elements: str
    default: []
  wait:
    description:
      - How long services may take to become healthy, in seconds. One without a health check must run for 10 seconds
        without a restart.
    type: int
    default: 120
  state_directory:
    description:
      - Absolute path of a folder, for root only, that remembers which keys were set, without values. It is made when
        missing.
      - The lines that were replaced are kept there, values included, until their keys are no longer given.
    type: path
    default: /var/lib/crowsnest/env_files
attributes:
  check_mode:
    description: Writes and recreates nothing; what a run would refuse is refused.
    support: full
  diff_mode:
    description: Shows the lines of the keys that change, O(secrets) masked.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Set the keys of Sentry
  crowsnest.core.env_file:
    path: /srv/shop/.env
    values: {SENTRY_ENVIRONMENT: production, SENTRY_TRACES_SAMPLE_RATE: '0.05'}
    secrets: {SENTRY_DSN: "{{ sentry_dsn }}", REACT_APP_SENTRY_DSN: "{{ sentry_frontend_dsn }}"}
    rebuild_keys: [REACT_APP_SENTRY_DSN]
    compose: /srv/shop/compose.yaml
    recreate: [web, worker]
"""

RETURN = r"""
changed_keys:
  description: Names of the keys that were set, changed, removed or put back.
  type: list
  elements: str
  returned: success
rebuild:
  description: Those of RV(changed_keys) that only a new build of the frontend brings into it.
  type: list
  elements: str
  returned: success
recreated:
  description: Services that were recreated and became healthy.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import ConfigDirectoryError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.request import make_request
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.run import run
from ansible_collections.crowsnest.core.plugins.module_utils.files import explain
from ansible_collections.crowsnest.core.plugins.module_utils.paths import ENV_FILES

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "values": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "rebuild_keys": {"type": "list", "elements": "str", "default": []},
    "compose": {"type": "path"},
    "keep": {"type": "list", "elements": "str", "default": []},
    "recreate": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "int", "default": 120},
    "state_directory": {"type": "path", "default": ENV_FILES},
}


def main() -> None:
    """Run the module; a mistake of the user or a fault of the host becomes one sentence."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    path = module.params["path"]
    try:
        done = run(make_request(module.params), Path(module.params["state_directory"]), module.check_mode)
    except (EnvFileError, ConfigDirectoryError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=explain(Path(path), error))
    for warning in done.warnings:
        module.warn(warning)
    if done.rebuild:
        names = ", ".join(done.rebuild)
        module.warn(
            f"{path}: {names} changed, which a frontend reads only while it is built. Build and deploy it again."
        )
    result = {
        "changed": done.after != done.before or bool(done.recreated),
        "changed_keys": list(done.changed),
        "rebuild": list(done.rebuild),
        "recreated": list(done.recreated),
    }
    if module._diff:
        result["diff"] = {**done.diff, "before_header": path, "after_header": path}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
