# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run of a module for an API: its options, refusals and result, without secrets. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Options = Mapping[str, Any]


class ReconcileError(Exception):
    """Ends a run; the text says what is wrong, where it is, and what to do."""


def refuse(subject: str, mistakes: Collection[str]) -> None:
    """Raises ReconcileError with all mistakes, if there are any. `subject` is like `Metabase at URL`."""
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ReconcileError(f"{subject}: nothing was changed, {count}: " + "; ".join(mistakes))


def one_of(*choices: str) -> dict[str, Any]:
    """An optional option. Null means that it is not declared; Ansible accepts it only as one of the choices."""
    return {"type": "str", "choices": [*choices, None]}


def declared(spec: Options, values: Options) -> dict[str, Any]:
    """All options, and within them only what was declared: Ansible adds missing suboptions as null."""
    return {name: _declared(spec[name], value) for name, value in values.items()}


def _declared(option: Options, value: Any) -> Any:
    below = option.get("options")
    if not below or value is None:
        return value
    if isinstance(value, list):
        return [_declared(option, member) for member in value]
    return {name: _declared(below[name], member) for name, member in value.items() if member is not None}


def secret_texts(
    spec: Options,
    values: Options,
    longer_than: int,
    by_name: Mapping[str, re.Pattern[str]],
    visible: Collection[str] = (),
) -> set[str]:
    """What no message may show: the texts in all options with `no_log`, except in those that are `visible`.

    Short texts would mask parts of ordinary words. `by_name` maps a free-form option to the pattern of its secret keys.
    """
    found: set[str] = set()
    for name, option in spec.items():
        value = values.get(name)
        if name in by_name:
            value = [row[key] for row in _rows(value) for key in row if by_name[name].search(key)]
        if "options" in option:
            for row in _rows(value):
                found |= secret_texts(option["options"], row, longer_than, by_name, visible)
        elif option.get("no_log") and name not in visible:
            found |= {text for text in _texts(value) if len(text) > longer_than}
    return found


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value or {}]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)


def run_module(
    module: AnsibleModule,
    secrets: Callable[[Options], set[str]],
    run: Callable[[Options, bool], dict[str, Any]],
) -> None:
    """Ends the module with the result of `run(options, check_mode)`, or with the one sentence of a ReconcileError.

    The result has `warnings`, a list of sentences, and `diff`, which is shown only on request.
    """
    options = module.params = declared(module.argument_spec, module.params)
    # Ansible would mask every name and number of a free-form option wherever it appears; mask only the secrets.
    module.no_log_values = secrets(options)
    try:
        result = run(options, module.check_mode)
    except ReconcileError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)
