#!/usr/bin/python
"""Module crowsnest.core.config_directory: thin; the work is done in module_utils/config_directory/directory.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_directory
short_description: Make a directory hold exactly the given files, validated and swapped in atomically
version_added: 1.0.0
description:
  - Writes a whole configuration directory in one task. The content goes to C(<path>/releases/<hash>/), is checked there
    by the service's own program, and comes into force by one atomic rename of the symlink C(<path>/current).
  - A crash, a full disk or a refused validation leaves the configuration that was in force before.
  - The content on disk is verified on every run. A file edited by hand, an unmanaged file, or a wrong owner or mode
    is corrected.
  - Two runs on the same O(path) wait for one another.
  - Let programs read C(<path>/current). Mount the whole O(path) into a container, since with C(current) alone it does
    not see a swap.
options:
  path:
    description:
      - Absolute path of the directory. It is created when missing, with the parents it needs. It and C(releases)
        get O(owner), O(group) and O(directory_mode) too.
      - An existing directory that holds other files is refused, and so is a symlink.
    type: path
    required: true
  files:
    description:
      - The files - path relative to the release, such as C(rules/host.yml), to text. Directories are created as needed.
      - What is in the directory but not in O(files) or O(secrets) is removed.
    type: dict
    required: true
  secrets:
    description:
      - More files, like O(files), whose content is never shown, neither in a diff nor in a message.
    type: dict
    default: {}
  owner:
    description:
      - User that owns all files and directories, by name or number. The default is the user that the task runs as.
    type: str
    default: ''
  group:
    description:
      - Group that owns all files and directories, by name or number. The default is the group that the task runs as.
    type: str
    default: ''
  mode:
    description:
      - Mode of all files, four octal digits in quotes.
    type: str
    default: '0640'
  directory_mode:
    description:
      - Mode of all directories, four octal digits in quotes.
    type: str
    default: '0750'
  validate:
    description:
      - Command that checks the new release before it comes into force. V(%s) stands for the absolute path of the
        release's directory.
      - It runs without a shell and must end within 300 seconds. Any exit status other than 0 fails the task with what
        the command printed, O(secrets) masked.
    type: str
  stable:
    description:
      - A directory at the top of the release, such as C(dashboards), whose files also get paths that stay the same
        across releases. C(<path>/<stable>) holds one symlink per file, which leads to it through C(current).
      - For a program that identifies a file by its resolved path, as Grafana does with dashboards.
      - A file appears or changes there by one rename each, right after the swap. What is there but not in the release
        is removed.
    type: str
    default: ''
  keep:
    description:
      - How many releases stay on disk, including the one in force. Going back to one of them only swaps the symlink.
    type: int
    default: 3
attributes:
  check_mode:
    support: full
    details:
      - Writes nothing below O(path). Works even if O(path), the O(owner) or the O(group) does not exist yet.
      - O(validate) runs on a temporary copy. When its program is not installed yet, a warning says that it was skipped.
  diff_mode:
    support: full
    details:
      - One difference per file. O(secrets) are masked, including those that were secret in the previous release.
  idempotent:
    support: full
author:
  - The crowsnest authors (@crowsnest)
"""

EXAMPLES = r"""
- name: Write the configuration of Prometheus
  crowsnest.core.config_directory:
    path: /opt/crowsnest/prometheus
    files:
      prometheus.yml: "{{ prometheus_config | to_nice_yaml(sort_keys=false) }}"
      rules/host.yml: "{{ lookup('ansible.builtin.file', 'rules/host.yml') }}"
    owner: '21090'
    group: '21090'
    validate: promtool check config %s/prometheus.yml

- name: Write the configuration of Alertmanager with a secret
  crowsnest.core.config_directory:
    path: /opt/crowsnest/alertmanager
    files:
      alertmanager.yml: "{{ alertmanager_config | to_nice_yaml(sort_keys=false) }}"
    secrets:
      slack_url: "{{ vault_slack_url }}"
    owner: '21093'
    group: '21093'
    validate: amtool check-config %s/alertmanager.yml
"""

RETURN = r"""
changed_files:
  description:
    - Paths relative to the release that were added, changed or removed, sorted. A directory is listed when it was
      removed or its rights were corrected; O(path) itself, C(releases) and the links of O(stable) by their absolute
      path.
  type: list
  elements: str
  returned: success
  sample: [prometheus.yml, rules/host.yml]
release:
  description:
    - Name of the release now in force, a directory in C(<path>/releases). It depends on names, contents and rights.
  type: str
  returned: success
  sample: 5f2b6c0d9e8a7f41
previous:
  description:
    - Name of the release that was in force before, the same as RV(release) if nothing was new. Null if there was none.
  type: str
  returned: success
  sample: 0c1d2e3f4a5b6c7d
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import (
    State,
    apply,
    frame_names,
    predict,
)
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    DIRECTORY_MODE,
    KEEP,
    MODE,
    ConfigDirectoryError,
    Release,
    Tree,
    changed_names,
    diff,
    make_release,
    printable,
)
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.validator import (
    Validator,
    make_validator,
    rehearse,
)
from ansible_collections.crowsnest.core.plugins.module_utils.files import explain

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "files": {"type": "dict", "required": True},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "owner": {"type": "str", "default": ""},
    "group": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": MODE},
    "directory_mode": {"type": "str", "default": DIRECTORY_MODE},
    "validate": {"type": "str"},
    "stable": {"type": "str", "default": ""},
    "keep": {"type": "int", "default": KEEP},
}


def check(module: AnsibleModule, path: Path, release: Release, validator: Validator | None) -> State:
    """Predict, with warnings on what cannot be known before the run."""
    state = predict(path, release, module.params["keep"])
    for sentence in release.missing_ids():
        module.warn(f"{sentence} yet; create it before the real run")
    if validator and not state.holds(release):
        if validator.installed():
            rehearse(validator, release, module.tmpdir)
        else:
            module.warn(f"{path}: not validated, {validator.arguments[0]} is not installed on this host yet")
    return state


def report(path: Path, release: Release, state: State) -> dict[str, Any]:
    """The module's result: the difference between what was found and what is wanted."""
    before: Tree = {**state.frame, **state.before, **absolute(path, state.links)}
    frame = dict.fromkeys(frame_names(path), release.directory)
    after: Tree = {**frame, **release.tree, **absolute(path, release.links)}
    names = changed_names(before, after)
    differences = diff(before, after, release.secrets | state.secrets)
    if state.stale:
        stale = "".join(f"{name}\n" for name in state.stale)
        header = f"{path}/releases (old and left-over)"
        differences.append({"before": stale, "after": "", "before_header": header, "after_header": header})
    return {
        "changed": bool(names or state.stale or state.previous != release.name),
        "changed_files": [printable(name) for name in names],
        "release": release.name,
        "previous": state.previous,
        "diff": differences,
    }


def absolute(path: Path, links: Tree) -> Tree:
    """The stable paths by absolute path, since relative to the release they would be taken for its files."""
    return {f"{path}/{name}": entry for name, entry in links.items()}


def run(module: AnsibleModule, path: Path) -> dict[str, Any]:
    """Do or predict the work; returns the result. Raises ConfigDirectoryError or OSError."""
    params = dict(module.params)
    if params["keep"] < 1:
        raise ConfigDirectoryError(f"keep {params['keep']} is less than 1; the release in force always stays")
    rights = {option: params[option] for option in ("owner", "group", "mode", "directory_mode", "stable")}
    release = make_release(params["files"], params["secrets"], **rights)
    validator = make_validator(params["validate"], release)
    if module.check_mode:
        return report(path, release, check(module, path, release, validator))
    return report(path, release, apply(path, release, params["keep"], validator))


def main() -> None:
    """Run the module; a mistake of the user or a fault of the host becomes one sentence."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    path = Path(module.params["path"])
    try:
        result = run(module, path)
    except ConfigDirectoryError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=explain(path, error))
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
