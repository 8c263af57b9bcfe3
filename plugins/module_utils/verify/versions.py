# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which versions actually run. Python 3.9, standard library.

The name of an image is only a promise: a registry mirror, or an image built by hand, may have something else under it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import PASS, WARN, Check
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Service

# Programs in Go report it by Prometheus' conventions, Uptime Kuma by its library for Express. What Go itself reports of
# Caddy is no version of a release.
_VERSION = re.compile(r'^(?:(?!go_)\w+_build_info|app_version)\{(?:[^}]*,)?version="([^"]+)"', re.MULTILINE)
_BEFORE_RELEASE = r"(?:[-.]?(?P<stage>alpha|beta|rc)[-.]?(?P<count>\d+))?"
# 3.14.0-rc.1, or 3.14.0rc1.
_RUNS = re.compile(rf"v?(?P<numbers>\d+(?:\.\d+)*){_BEFORE_RELEASE}")
# v3.14, 2.5.3-slim-rootless, v3.14.0-rc.1-distroless.
_TAG = re.compile(rf"v?(?P<numbers>\d+(?:\.\d+)+){_BEFORE_RELEASE}(?:-.*)?")


def version_checks(services: Mapping[str, Service], metrics: Mapping[str, str]) -> list[Check]:
    """One line with the versions that run; a warning when an image's tag names another. `metrics` by service."""
    found = {name: _VERSION.search(text) for name, text in metrics.items()}
    running = {name: match[1].partition("+")[0] for name, match in found.items() if match}
    named = {name: _tag(services[name]["image"]) for name in running}
    other = [name for name, version in running.items() if not _fits(version, named[name])]
    if other:
        detail = ", ".join(f"{name} {running[name]} (its image is tagged {named[name]})" for name in other)
        advice = "The images are not the official ones: a registry mirror serves others, or they were built by hand."
        return [Check(WARN, "versions", detail, advice)]
    return (
        [Check(PASS, "versions", ", ".join(f"{name} {version}" for name, version in running.items()))]
        if running
        else []
    )


def _tag(image: str) -> str:
    """The tag of an image, empty if it has none: `registry.example.com:5000/prom/prometheus` names a port."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _fits(version: str, tag: str) -> bool:
    """Whether the tag names this version, or its first numbers; a tag of another form, such as a date, always fits."""
    tagged, runs = _TAG.fullmatch(tag), _RUNS.match(version)
    if not tagged:
        return True
    if not runs or not f"{runs['numbers']}.".startswith(f"{tagged['numbers']}."):
        return False
    before_release = [(match["stage"], match["count"]) for match in (tagged, runs)]
    return before_release[0] == before_release[1] or (not tagged["stage"] and tagged["numbers"] != runs["numbers"])
