#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: python_environment
short_description: Build a Python environment of locked packages and swap it in atomically
description:
  - Builds an environment with the Python that runs the module, at C(<path>/<Python's version>-<hash of the lock>),
    checks it, and points the symlink C(<path>/current) to it by one rename. Then removes older ones.
  - The name depends on all that is in it, so a changed lock and an upgraded Python both lead to a new one.
  - An interrupted run, a refused file or an index that does not answer leaves the environment that was in force
    untouched. The next run starts over.
  - Only files whose hash is in the lock are installed, and only wheels, so no package runs code to build itself.
  - Needs Python's module C(ensurepip), which Debian and Ubuntu ship in the package C(python3-venv).
options:
  path:
    description: Absolute path of the directory. It is created when missing.
    type: path
    default: /opt/crowsnest/toolbox
  requirements:
    description: The text of a complete lock file with hashes, as C(uv pip compile --generate-hashes) writes it.
    type: str
    required: true
  index_url:
    description: Package index to use instead of the one in pip's own settings. It may contain a password.
    type: str
    default: ''
attributes:
  check_mode:
    description: Reports whether an environment would be built, without contacting the index.
    support: full
  diff_mode:
    description: The packages and their versions.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Build the Python environment
  crowsnest.core.python_environment:
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.lock', rstrip=false) }}"
  when: host.toolbox != wanted
"""

RETURN = r"""
environment:
  description: Name of the environment; in check mode, of the one that would be built.
  type: str
  returned: success
  sample: 3.13-0123456789ab
previous:
  description: Name of the environment that was in force before. Empty if none.
  type: str
  returned: success
  sample: 3.11-0123456789ab
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils import python_environment
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import ConfigDirectoryError
from ansible_collections.crowsnest.core.plugins.module_utils.files import (
    explain,
    lock,
    make_directory,
    open_directory,
)
from ansible_collections.crowsnest.core.plugins.module_utils.paths import TOOLBOX
from ansible_collections.crowsnest.core.plugins.module_utils.python_environment import PythonEnvironmentError


def compare(path: Path, requirements: str) -> dict[str, Any]:
    """The module's result: compares what is there with what is wanted."""
    previous, name = python_environment.in_force(path), python_environment.wanted_name(requirements)
    before = {"before_header": previous, "before": python_environment.pins(path)}
    after = {"after_header": name, "after": python_environment.packages(requirements)}
    changed = previous != name or bool(python_environment.leftovers(path))
    return {"changed": changed, "environment": name, "previous": previous, "diff": {**before, **after}}


def apply(path: Path, requirements: str, index_url: str) -> dict[str, Any]:
    """Do the work; returns the result. Raises PythonEnvironmentError, ConfigDirectoryError or OSError."""
    os.umask(0o022)  # root will run this code: nobody else may write it, whatever this host's usual mask is
    make_directory(path)
    with open_directory(path) as handle:
        lock(handle, path)
        result = compare(path, requirements)
        python_environment.ensure(path, requirements, index_url, handle)
    return result


def main() -> None:
    """Run the module; a fault of the index or the host becomes a few sentences."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": TOOLBOX},
            "requirements": {"type": "str", "required": True},
            "index_url": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    path, requirements = Path(module.params["path"]), module.params["requirements"]
    try:
        result = compare(path, requirements)
        if not module.check_mode:
            result = apply(path, requirements, module.params["index_url"])
    except PythonEnvironmentError as error:
        previous = python_environment.in_force(path)
        rest = f"{previous} stays in force." if previous else "None is in force yet."
        module.fail_json(msg=f"The Python environment in {path} cannot be built. {error} {rest}")
    except ConfigDirectoryError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=explain(path, error))
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
