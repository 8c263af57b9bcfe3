#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Change the firewall of a host without locking anybody out
description:
  - O(state=tried) checks the rules, arms a timer that takes them back, and loads them. Log in anew then, and call the
    module with O(state=kept), which stops the timer and writes the file that is loaded when the host starts.
  - Nobody logs in, or the run is killed - the rules of before come back by themselves, and the next run tries again.
  - Only the table C(inet crowsnest) is touched; rules of Docker, of ufw and of the team stay.
options:
  state:
    description: What to do.
    type: str
    choices: [tried, kept, absent]
    required: true
  ruleset:
    description: The file for C(nft -f). Needed unless O(state=absent).
    type: str
    default: ''
  seconds:
    description: After how many seconds rules that were tried are taken back.
    type: int
    default: 90
attributes:
  check_mode:
    description: Reports whether rules would be tried or removed.
    support: full
  diff_mode:
    description: The rules that are loaded when the host starts, before and after.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Try the rules
  crowsnest.core.firewall:
    state: tried
    ruleset: "{{ ruleset }}"

- name: Log in anew
  ansible.builtin.wait_for_connection:
    timeout: 60

- name: Keep them
  crowsnest.core.firewall:
    state: kept
    ruleset: "{{ ruleset }}"
"""

RETURN = r"""
taken_back_in:
  description: Seconds after which rules that were tried are taken back; 0 when none were.
  type: int
  returned: always
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.firewall import Firewall, FirewallError
from ansible_collections.crowsnest.core.plugins.module_utils.paths import CONFIG_ROOT


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["tried", "kept", "absent"], "required": True},
            "ruleset": {"type": "str", "default": ""},
            "seconds": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    firewall, wanted = Firewall(Path(CONFIG_ROOT, "firewall")), module.params["ruleset"]
    state, before = module.params["state"], firewall.kept()
    changed = firewall.is_there() if state == "absent" else state == "kept" or not firewall.holds(wanted)
    try:
        if changed and not module.check_mode:
            if state == "tried":
                firewall.attempt(wanted, module.params["seconds"])
            elif state == "kept":
                firewall.keep(wanted)
            else:
                firewall.remove()
    except FirewallError as error:
        module.fail_json(msg=str(error))
    taken_back_in = module.params["seconds"] if changed and state == "tried" else 0
    module.exit_json(changed=changed, diff={"before": before, "after": wanted}, taken_back_in=taken_back_in)


if __name__ == "__main__":
    main()
