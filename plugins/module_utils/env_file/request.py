# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of an env file, checked at once. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.validator import SHORTEST_MASKED_WORD
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.encode import KEY, UnreadableError, encode
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import Key
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.services import STEADY_SECONDS


class Request(NamedTuple):
    """The wanted keys with their spelled values, and the services of `compose` that read them.

    `keep` are names of keys that stay as they are, if they are ours.
    """

    path: Path
    spelled: Mapping[str, str]
    keys: Mapping[str, Key]
    keep: tuple[str, ...]
    compose: Path | None
    recreate: tuple[str, ...]
    wait: int


def make_request(params: Mapping[str, Any]) -> Request:
    """The module's options as a value. Raises EnvFileError with all mistakes."""
    given = {**params["values"], **params["secrets"]}
    spelled, mistakes = {}, list(_mistakes(params, given))
    for name, value in given.items():
        try:
            spelled[name] = encode(_text(value), name in params["rebuild_keys"])
        except UnreadableError as error:
            mistakes.append(f"the value of {name} {error}")
    if mistakes:
        raise EnvFileError(f"{params['path']}: {'; '.join(mistakes)}. Nothing was changed.")
    keys = {name: Key(name in params["secrets"], name in params["rebuild_keys"]) for name in given}
    compose = Path(params["compose"]) if params["compose"] else None
    keep, recreate = tuple(params["keep"]), tuple(params["recreate"])
    return Request(Path(params["path"]), spelled, keys, keep, compose, recreate, params["wait"])


def _text(value: object) -> str:
    """Raises UnreadableError for what is no text: YAML's true or 1.0 has no one spelling."""
    if not isinstance(value, str):
        raise UnreadableError(f"is a {type(value).__name__}, not text; write it in quotes")
    return value


def _mistakes(params: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """What is wrong with the options, values apart."""
    for option in ("path", "compose"):
        if params[option] and not Path(params[option]).is_absolute():
            yield f"{option} {params[option]} is not an absolute path"
    for name in given:
        if not KEY.fullmatch(name):
            yield f"{name!r} is no name that every reader knows; use letters, digits and _, and no digit first"
        if name in params["values"] and name in params["secrets"]:
            yield f"{name} is in both values and secrets"
    for name, value in params["secrets"].items():
        if isinstance(value, str) and 0 < len(value) < SHORTEST_MASKED_WORD:
            yield f"the value of {name} is too short for a secret; it would be hidden in every word it is a part of"
    for name in params["rebuild_keys"]:
        if name not in given:
            yield f"rebuild_keys: {name} is neither in values nor in secrets"
    if params["recreate"] and not params["compose"]:
        yield "recreate needs compose, the compose file of those services"
    if params["wait"] <= STEADY_SECONDS:
        yield f"wait must be more than {STEADY_SECONDS:g} s, for which a service without a health check must run"
