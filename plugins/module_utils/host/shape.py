# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The facts of a host as types: what the module host_facts returns as `host`, and what the plan reads.

Sizes are in MiB. Python 3.9, standard library.
"""

from __future__ import annotations

from typing import TypedDict


class OperatingSystem(TypedDict):
    """`debian`, `13`, `trixie`; format: os-release(5)."""

    id: str
    version: str
    codename: str


class FreeMemory(TypedDict):
    """The total, and what programs could still get."""

    total_mib: int
    available_mib: int


class Memory(FreeMemory):
    """`own_mib` is what crowsnest's own containers use."""

    own_mib: int


class FileSystem(TypedDict):
    """The file system that holds `path`, a folder that exists; two on one `device` share their space."""

    path: str
    device: int
    total_mib: int
    free_mib: int


class Disk(FileSystem):
    """`own_mib` is what the stack's own data uses."""

    own_mib: int


class RunningContainer(TypedDict):
    """A running container of the team's own.

    `project` is that of compose, or empty. Of a PostgreSQL, `database` and `user` are those that its image was told to
    make (POSTGRES_DB, POSTGRES_USER), or empty.
    """

    name: str
    project: str
    image: str
    database: str
    user: str


class Docker(TypedDict):
    """The state of Docker.

    `version` None: no engine; "": installed but not answering. `compose` None: it has no Compose. `kind` is what
    `docker` really is: docker, podman, snap or rootless. `endpoint` is where root's command looks for an engine;
    `masked`: systemd may not start it. `own` are the running services of crowsnest's compose project, `images`
    what the engine has, with and without digest, `daemon` is /etc/docker/daemon.json. `python_client`: this Python has
    the library that Ansible's Docker modules need. `from_docker`: it is Docker's own package, not the distribution's.
    `running` are the team's containers, `bridge` is the host's address for those of the default bridge.
    """

    version: str | None
    compose: str | None
    kind: str
    endpoint: str
    masked: bool
    own: list[str]
    images: list[str]
    daemon: dict[str, object]
    bridge: str
    python_client: bool
    from_docker: bool
    running: list[RunningContainer]


class Container(TypedDict):
    """A running container; `service` is that of crowsnest's compose project, else empty."""

    name: str
    service: str


class Engine(Docker, total=False):
    """Docker, and the inputs of other facts.

    `containers` are all that run, {process id: container}; `folder` is where the engine keeps images.
    """

    containers: dict[int, Container]
    folder: str


class NodeExporterProcess(TypedDict):
    """`flags` are those of its command line, None if it does not run."""

    installed: bool
    flags: list[str] | None


class NodeExporterUnit(TypedDict):
    """`own_start` is the file that starts it in another way than the package, else empty."""

    masked: bool
    own_start: str


class NodeExporter(NodeExporterProcess, NodeExporterUnit):
    """node exporter of the distribution's package: the program, and the unit that starts it."""


class Process(TypedDict):
    """A process that listens on a port.

    `unit` is a service of systemd. `contained`: it runs in a Docker container, which has no name in `container` while
    the engine does not answer. `service` is crowsnest's own, `node_exporter` for the distribution's package, empty for
    any other program. `pid` is 0, and the rest empty, if the process cannot be seen.
    """

    pid: int
    program: str
    unit: str
    container: str
    contained: bool
    service: str


class Listener(Process):
    """A process together with the address on which it listens."""

    address: str


class PublishedPort(TypedDict):
    """A TCP port of the host that Docker forwards to a container, of any project."""

    container: str
    address: str
    port: int


class Firewall(TypedDict):
    """Our firewall: the rules in force, now and after a start, or empty; whether anything of it is there.

    `interfaces` are those that lead to the internet.
    """

    rules: str
    there: bool
    interfaces: list[str]


class Login(TypedDict):
    """The login over SSH through which this runs: from which address, at which port; empty and 0 without SSH."""

    source: str
    port: int


class Python(TypedDict):
    """The Python of the modules, `3.13`; `ensurepip`: it can create environments without further packages."""

    version: str
    ensurepip: bool


class Unit(TypedDict):
    """A unit of systemd; `stale`: its file changed since systemd read it. If it does not exist, all are false."""

    active: bool
    enabled: bool
    stale: bool


class Traffic(TypedDict):
    """Of an app, for one second: requests in the last 7 days, and answers with a 5xx status in the last 30."""

    requests: float
    errors: float


class HostFacts(TypedDict):
    """All facts of a host.

    `address` is the one it uses towards others, `controllers` what its kernel can limit, `read_only` the folders in
    which nothing can be written. `ports` is {TCP port: addresses listened on}, `listeners` {TCP port: processes}.
    `data` is {data folder: "user:group:mode"}, `configurations` {configuration directory: identity of the release it
    holds in every respect}, `toolbox` the name of the Python environment of that role, or empty; `ping_groups` is
    [first, last], `units` {name of a requested unit: its state}, `files` {path: text} of the requested files that
    exist. `cron`: a program runs what /etc/cron.d says. `backups` is {"environment/job": bytes of each backup, the
    oldest first}. `env_files` and `google_tags` are {path: digest of what we wrote into it}, of apps' env files and
    templates, empty where something is left to do; `releases` is {app: its release},
    `traffic` {app: its figures} and `exported` {app: {series: whether the app exports it}} of those that were requested
    and that Prometheus on this host knows.
    """

    os: OperatingSystem
    address: str
    architecture: str
    controllers: list[str]
    read_only: list[str]
    sudo: bool
    service_manager: str
    memory: Memory
    disk: Disk
    images_disk: FileSystem
    docker: Docker
    node_exporter: NodeExporter
    ports: dict[str, list[str]]
    listeners: dict[str, list[Listener]]
    published: list[PublishedPort]
    data: dict[str, str]
    configurations: dict[str, str]
    python: Python
    toolbox: str
    ping_groups: list[int]
    firewall: Firewall
    login: Login
    units: dict[str, Unit]
    files: dict[str, str]
    cron: bool
    backups: dict[str, list[int]]
    env_files: dict[str, str]
    google_tags: dict[str, str]
    releases: dict[str, str]
    traffic: dict[str, Traffic]
    exported: dict[str, dict[str, bool]]
