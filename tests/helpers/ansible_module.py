# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A module's main() in this process, as on a host."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


def outcome(
    module: ModuleType, capsys: pytest.CaptureFixture[str], options: dict[str, Any], check: bool
) -> tuple[dict[str, Any], str]:
    """(its result, all that it printed), with a diff.

    Where an earlier test loaded what runs on the controller, Ansible would show warnings instead of returning them.
    """
    warnings._global_warnings.clear()  # of the runs before
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    on_a_host = patch("ansible.module_utils._internal.is_controller", False)
    with on_a_host, patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.out + captured.err
