"""Options of a module as it gets them: what Ansible makes of them by the argument spec, or why it refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import declared


def refusals(spec: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """What Ansible says against the shape of the options."""
    return [str(message) for message in ArgumentSpecValidator(spec).validate(dict(options)).error_messages]


def taken(spec: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the module works with them. Their shape must be right."""
    result = ArgumentSpecValidator(spec).validate(dict(options))
    assert result.error_messages == []
    return declared(spec, result.validated_parameters)
