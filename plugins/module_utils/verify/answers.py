# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Docker and Prometheus answer, as types: only the fields that a verification reads. Python 3.9, standard library.

Formats: https://docs.docker.com/reference/cli/docker/container/inspect/ and
https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

from typing import TypedDict


class ContainerState(TypedDict):
    """`StartedAt` as 2026-11-21T11:42:06.775155153Z."""

    Status: str
    Running: bool
    OOMKilled: bool
    ExitCode: int
    StartedAt: str


class ContainerConfig(TypedDict):
    """`Env` holds lines NAME=value."""

    Image: str
    User: str
    Cmd: list[str] | None
    Env: list[str]
    Labels: dict[str, str]


class ContainerLimits(TypedDict):
    """In bytes; 0 means no limit."""

    Memory: int


class Container(TypedDict):
    """Of `docker container inspect`; `Image` is the id of its image."""

    Name: str
    Image: str
    RestartCount: int
    State: ContainerState
    HostConfig: ContainerLimits
    Config: ContainerConfig


class ActiveTarget(TypedDict):
    """Of /api/v1/targets; `health` is up, down or unknown."""

    discoveredLabels: dict[str, str]
    labels: dict[str, str]
    health: str
    lastError: str


class RuleAlert(TypedDict):
    """An alert that fires or is pending; its value is text."""

    labels: dict[str, str]
    state: str
    value: str


class _Rule(TypedDict):
    name: str
    health: str


class Rule(_Rule, total=False):
    """`health` is ok, err or unknown. Recording rules have no alerts."""

    lastError: str
    alerts: list[RuleAlert]


class RuleGroup(TypedDict):
    """Of /api/v1/rules; `file` is the whole path, `interval` is in seconds."""

    name: str
    file: str
    interval: float
    rules: list[Rule]
