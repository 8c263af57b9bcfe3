#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: google_tag
short_description: Keep the Google tag of Analytics 4 in the HTML templates of apps
version_added: 1.0.0
description:
  - Puts the Google tag (gtag.js) as a managed block right before the C(</head>) of each template. One that stands in a
    comment, a script or a string does not count. Every other byte stays, and so do owner, mode and ACL of the file.
  - A template that an earlier task gave the tag and that is no longer named loses it again, and is then byte for byte
    as before. So name all templates of a host in one task.
  - A template is refused that has no or several C(</head>), that has a Google tag or a container of Tag Manager of its
    own, or that git tracks, as the team's next C(git pull) would fail; the message then has the block to paste. When
    one is refused, none is changed. A tracked template into which the team has pasted the block is as wanted.
  - What a browser gets is what the app serves. Most apps keep templates in memory until they are restarted, and a
    template that is a part of an image is another file than the one on the host.
options:
  templates:
    description: All templates on this host that have the tag.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the template. A symlink stays, and its target is changed.
        type: path
        required: true
      measurement_id:
        description: Measurement id of the web data stream, such as V(G-ABCDE12345).
        type: str
        required: true
      consent:
        description:
          - Google's consent mode before a visitor decides. With V(denied) Analytics sets no cookie and shows neither
            users nor sessions of a visitor until the page calls C(gtag('consent', 'update', …)).
        type: str
        choices: [denied, granted]
        default: denied
      nonce:
        description:
          - For a page with a content security policy, the expression by which its template gets the nonce - such as
            V(request.csp_nonce) for django-csp, V(csp_nonce) for Django 6, V(csp_nonce(\)) for Flask-Talisman, or with
            its own delimiters V(<%= nonce %>) for EJS.
        type: str
        default: ''
  state_directory:
    description: Absolute path of a folder that remembers which templates have the tag. It is made when missing.
    type: path
    default: /var/lib/crowsnest/google_tags
attributes:
  check_mode:
    description: Writes nothing; what a run would refuse is refused.
    support: full
  diff_mode:
    description: One difference per template.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Put the Google tag into the templates
  crowsnest.core.google_tag:
    templates:
      - {path: /srv/shop/templates/base.html, measurement_id: G-ABCDE12345, nonce: request.csp_nonce}
      - {path: /srv/site/index.html, measurement_id: G-FGHIJ67890, consent: granted}

- name: Remove it from all templates
  crowsnest.core.google_tag:
    templates: []
"""

RETURN = r"""
added:
  description: Templates that got the tag.
  type: list
  elements: str
  returned: success
updated:
  description: Templates whose tag changed.
  type: list
  elements: str
  returned: success
removed:
  description: Templates that lost the tag.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import ConfigDirectoryError
from ansible_collections.crowsnest.core.plugins.module_utils.files import explain
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.run import Change, run, wanted_tags
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import CONSENTS
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import TemplateError
from ansible_collections.crowsnest.core.plugins.module_utils.paths import GOOGLE_TAGS

ARGUMENT_SPEC = {
    "templates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "measurement_id": {"type": "str", "required": True},
            "consent": {"type": "str", "choices": list(CONSENTS), "default": "denied"},
            "nonce": {"type": "str", "default": ""},
        },
    },
    "state_directory": {"type": "path", "default": GOOGLE_TAGS},
}


def difference(change: Change) -> dict[str, str]:
    """One template as Ansible shows differences."""
    before, after = (content.decode(errors="replace") for content in (change.before, change.after))
    return {"before": before, "after": after, "before_header": str(change.path), "after_header": str(change.path)}


def main() -> None:
    """Run the module; a mistake of the user or a fault of the host becomes one sentence for each template."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    directory = Path(module.params["state_directory"])
    try:
        done = run(wanted_tags(module.params["templates"]), directory, module.check_mode)
    except (TemplateError, ConfigDirectoryError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=explain(directory, error))
    for warning in done.warnings:
        module.warn(warning)
    kinds = ("added", "updated", "removed")
    names = {kind: [str(change.path) for change in done.changes if change.kind == kind] for kind in kinds}
    shown = {"diff": [difference(change) for change in done.changes]} if module._diff else {}
    module.exit_json(changed=bool(done.changes), **names, **shown)


if __name__ == "__main__":
    main()
