# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a service is: one value with everything that the rest of crowsnest must know of it.

Code that covers all services (compose, scrape jobs, secrets, verify, report) reads these fields and knows no service
by name. Each service has a folder here with its value in `service.py`; the list of all is in `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import Project
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import Needs
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan, Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import Container

if TYPE_CHECKING:
    from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard

# {path below the service's configuration directory: text}
Files = dict[str, str]


@dataclass(frozen=True)
class Context:
    """All that a generator may need: what was planned, what was declared, and what exists.

    `secrets` are the generated ones by name; on a first run in check mode some do not exist yet. `inventory_dir` is
    where relative paths of the declaration start. `sentry` are the projects that were made for apps, by app.
    """

    plan: Plan
    declaration: Declaration
    registry: Mapping[str, Service]
    secrets: Mapping[str, str] = field(default_factory=dict)
    inventory_dir: Path = Path()
    sentry: Mapping[str, Project] = field(default_factory=dict)

    @property
    def services(self) -> Mapping[str, Planned]:
        """The containers that run, by name."""
        return self.plan.services

    @property
    def server(self) -> str:
        """Inventory name of the host that runs the stack."""
        return self.plan.server

    @property
    def running(self) -> Sequence[Service]:
        """The services that run, each once however many containers it has."""
        return [self.registry[name] for name in dict.fromkeys(each.service for each in self.services.values())]

    def definition(self, name: str) -> Service:
        """The service of a container that runs."""
        return self.registry[self.services[name].service]

    def secret_files(self, name: str) -> Files:
        """{path: text} of the secret files of a container that runs."""
        return self.definition(name).secret_files(self, self.services[name])

    def secret(self, name: str) -> str:
        """A generated secret; empty when it does not exist yet."""
        return str(self.secrets.get(name, ""))


@dataclass(frozen=True)
class GeneratedSecret:
    """A password or key that is made once, on the machine that runs crowsnest, unless it is declared.

    `replaceable`: a new one does no harm, as one run gives it to everything that needs it. Without a secret that is not
    replaceable, a service can no longer use its data.
    """

    name: str
    replaceable: bool = False


def _no_labels(_context: Context, _planned: Planned) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Scrape:
    """How Prometheus reads a service's /metrics.

    `kept` is a pattern of the series that a panel or an alert uses, for a service with thousands: a small host pays for
    each. `relabel` gives further rules for what is kept. `labels` are labels of the series of one
    container besides `environment`, and `host` where it is not the server. `honor_labels`: its series bring the label
    `job` of somebody else. `with_key`: it demands a key that the service gives out while it runs (a file in
    KEYS_DIRECTORY, named as the service).
    """

    interval: str = ""
    kept: str = ""
    relabel: Callable[[Context], Sequence[Mapping[str, Any]]] | None = None
    labels: Callable[[Context, Planned], Mapping[str, str]] = _no_labels
    honor_labels: bool = False
    with_key: bool = False


@dataclass(frozen=True)
class Page:
    """A page for people. `about`: what they do there; the page of the lowest `rank` is the first to open."""

    rank: int
    about: str


@dataclass(frozen=True)
class Login:
    """Who may open the page; the password is the generated secret `<service>_admin_password`."""

    title: str
    user: Callable[[Declaration], str]


def _no_files(_context: Context, _planned: Planned) -> Files:
    return {}


def _no_dashboards(_context: Context) -> Sequence[Dashboard]:
    return ()


def _nobody(_declaration: Declaration) -> Sequence[GeneratedSecret]:
    return ()


def _nothing_more(_context: Context) -> OfServices:
    return {}


@dataclass(frozen=True, kw_only=True)
class Service(Needs):
    """A service of the stack. Its image is in files/images.yml, its needs are those of `Needs`.

    `container` returns the container options of a planned instance, `files` and `secret_files` its configuration; the
    compose fragment is added to them. `stable`: a folder among
    them whose files keep their paths in all releases. `validate`: the command of a program of its image that checks a
    configuration before it comes into force, the program first (empty: the image's entry point).
    `sqlite` and `folders` are what a backup of the stack holds of it, below its folder for data: a database of SQLite,
    and folders with files of people.
    `secrets_of_people`: the generated secrets of people that the declaration names.
    `objects`: options of the module that speaks to its API, where it has one.
    `scrape`: how Prometheus reads it; None when it exports nothing. `health_path`: where blackbox exporter probes
    it then; empty when it speaks no HTTP.
    `reload_metric`: it takes a new configuration on `POST /-/reload` and this series reports whether that worked.
    Without one it is recreated.
    `admin_socket`: Caddy's way instead: (the socket in its folder for data, the file with its configuration).
    `dashboards` are Grafana's dashboards about it. `expected` is what `verify` compares with on top of containers and
    files; `unasked` names what verify cannot check while it does not answer.
    `without`: what is missing when it is switched off, where its name does not tell.
    """

    container: Callable[[Context, Planned], Container]
    files: Callable[[Context, Planned], Files] = _no_files
    secret_files: Callable[[Context, Planned], Files] = _no_files
    stable: str = ""
    validate: Sequence[str] = ()
    generated_secrets: Sequence[GeneratedSecret] = ()
    secrets_of_people: Callable[[Declaration], Sequence[GeneratedSecret]] = _nobody
    sqlite: str = ""
    folders: Sequence[str] = ()
    objects: Callable[[Context], dict[str, Any]] | None = None
    scrape: Scrape | None = Scrape()
    health_path: str = ""
    reload_metric: str = ""
    admin_socket: tuple[str, str] | None = None
    dashboards: Callable[[Context], Sequence[Dashboard]] = _no_dashboards
    expected: Callable[[Context], OfServices] = _nothing_more
    unasked: str = ""
    page: Page | None = None
    login: Login | None = None
    without: str = ""

    def secrets(self, declaration: Declaration) -> Sequence[GeneratedSecret]:
        """All that are generated for it."""
        return (*self.generated_secrets, *self.secrets_of_people(declaration))

    @property
    def answers(self) -> str:
        """The path at which it reports that it works; empty when it speaks no HTTP."""
        return "/metrics" if self.scrape else self.health_path
