# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of the laboratory."""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

import requests
from docker.errors import DockerException

from lab import app, base_image, engine, laboratory, ports, state, tools
from lab.play import Lab
from lab.progress import LabError

# Debian's packages of them bring the API alone.
WITHOUT_PAGES = ("prometheus", "alertmanager")
DOMAIN = "watch.localhost"  # as inventories/lab declares it


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="molecule/lab", description="Disposable hosts with systemd for tests and the demo."
    )
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a lab, or the missing parts of it")
    up.add_argument("name")
    up.add_argument("--suite", default="trixie", help="Debian release, or one per host: bookworm,trixie")
    up.add_argument("--engine", choices=["none", "existing"], default="none", help="is Docker on the server already?")
    up.add_argument("--hosts", type=int, default=1, help="number of hosts; the first one is the server")
    up.add_argument("--memory", type=int, default=2048, metavar="MIB", help="memory limit of each host")
    up.add_argument(
        "--app", action=argparse.BooleanOptionalAction, default=True, help="build the image of the sample app"
    )
    for name, summary in {"status": "what runs", "urls": "addresses of the pages"}.items():
        commands.add_parser(name, help=summary).add_argument("name")
    down = commands.add_parser("down", help="remove every trace of a lab")
    down.add_argument("name", nargs="?")
    down.add_argument(
        "--all",
        action="store_true",
        help="all labs of this checkout, its registry, and the images that no other checkout uses",
    )
    lose = commands.add_parser("lose", help="remove a host with all it holds; `up` then starts a fresh one")
    lose.add_argument("name")
    lose.add_argument("--host", default="lab1")
    execute = commands.add_parser("exec", help="run a command as root on a host: exec NAME [--host lab2] -- CMD")
    execute.add_argument("name")
    execute.add_argument("--host", default="lab1")
    execute.add_argument("words", nargs="+", metavar="CMD")
    for tool in tools.IMAGES:
        commands.add_parser(tool, help=f"{tool} of the lab's images, run in the repository")
    shop = commands.add_parser("app", help="the sample app on the server")
    shop.add_argument("name")
    shop.add_argument("action", choices=["up", "down", "status"])
    return top


def main(words: list[str]) -> int:
    """Run one command; its exit code, or 1 after one sentence about what went wrong."""
    try:
        if words and words[0] in tools.IMAGES:  # the tool parses its options itself
            return tools.run(words[0], words[1:])
        options = parser().parse_args(words)
        COMMANDS[options.command](options)
    except LabError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except (DockerException, OSError) as error:
        reason = getattr(error, "explanation", None) or error
        print(
            f"Error: the Docker engine or this machine refused a step: {reason}; repeat the command.", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted; repeat the command to continue, or use `down` to clean up.", file=sys.stderr)
        return 130
    return 0


def suites_of(text: str, hosts: int) -> list[str]:
    """One suite per host; the last one named holds for the rest. LabError for an unknown one."""
    named = text.split(",")
    for suite in named:
        if suite not in base_image.SUITES:
            raise LabError(f"--suite {suite}: allowed are {', '.join(base_image.SUITES)}.")
    count = max(hosts, len(named))
    if count > ports.MAX_HOSTS or hosts < 1:
        raise LabError(f"--hosts {hosts}: allowed are 1 to {ports.MAX_HOSTS}.")
    return named + [named[-1]] * (count - len(named))


def _up(options: argparse.Namespace) -> None:
    name = state.check_name(options.name)
    suites = suites_of(options.suite, options.hosts)
    lab = laboratory.up(laboratory.Wish(name, suites, options.engine, options.memory, options.app))
    print(f"For inventories: {state.directory(name) / 'lab.json'}. A shell: molecule/lab exec {lab['name']} -- bash")


def _status(options: argparse.Namespace) -> None:
    lab, client = state.need(options.name), engine.connect()
    if client is None:
        raise LabError("No Docker engine answers: start the lab again with `up`.")
    for host in lab["hosts"]:
        found = client.containers.list(all=True, filters={"name": f"^{host['container']}$"})
        state_now = found[0].status if found else "missing"
        print(f"{host['name']}  {host['suite']}  {host['address']}  ssh port {host['ssh_port']}  {state_now}")
    print(f"images: {lab['image_source']}, mirror for the hosts: {lab['registry_mirror']}")


def _urls(options: argparse.Namespace) -> None:
    lab = state.need(options.name)
    remarks = _remarks(lab)
    for service, port in lab["hosts"][0]["ports"].items():
        if service not in ("ssh", "https") and _answers(f"http://127.0.0.1:{port}"):
            print(f"{service:14} http://127.0.0.1:{port}/  {remarks.get(service, '')}".rstrip())
        if service == "uptime_kuma":
            print(f"{'status page':14} http://127.0.0.1:{port}/status/status  for everybody")
    tracker = lab["bugsink"]
    if _answers(tracker["url"]):
        print(f"{'errors':14} {tracker['url']}/  Bugsink")
        print(f"Bugsink: the user is {tracker['user']}, the password is {tracker['password']}")
    for line in _door(options.name, lab["hosts"][0]["ports"]["https"]):
        print(line)
    for title, user in (("Grafana", "admin"), ("Uptime Kuma", "admin"), ("Metabase", "admin@crowsnest.invalid")):
        password = state.directory(options.name) / "secrets" / f"{title.lower().replace(' ', '_')}_admin_password"
        if password.is_file():
            print(f"{title}: the user is {user}, the password is in {password.relative_to(state.REPOSITORY)}")


def _door(name: str, port: int) -> Iterator[str]:
    """The pages at one address, where the inventory has a domain: browsers find names below localhost by themselves."""
    password = state.directory(name) / "secrets/proxy_password_admin"
    if password.is_file():
        yield (
            f"{'all pages':14} https://{DOMAIN}:{port}/  and https://grafana.{DOMAIN}:{port}/ and so on. The browser "
            "warns: the certificates are of an authority of this lab"
        )
        yield f"All pages: the user is admin, the password is in {password.relative_to(state.REPOSITORY)}"


def _remarks(lab: dict[str, Any]) -> dict[str, str]:
    """Service → what to know about it: the version that runs, or how it differs from the real one."""
    built = lab["image_source"] == "packages"
    remarks = {name: f"version {version}" for name, version in _versions(lab).items()}
    for name in WITHOUT_PAGES if built else ():
        remarks[name] = f"{remarks.get(name, '')} of Debian, which has no pages".strip()
    return remarks | dict.fromkeys(lab["doubles"], "a double")


def _versions(lab: dict[str, Any]) -> dict[str, str]:
    """Service → version; empty while Prometheus does not answer."""
    try:
        return Lab(lab["name"], lab).versions()
    except requests.RequestException:
        return {}


def _answers(url: str) -> bool:
    """Whether a page answers: the forwarder of a port takes connections for services that do not run, too."""
    try:
        return requests.get(f"{url}/", timeout=5).status_code < 500
    except requests.RequestException:
        return False


def _down(options: argparse.Namespace) -> None:
    if options.all == bool(options.name):
        raise LabError("Name a lab or use --all, but not both.")
    if options.all:
        laboratory.down_all()
    else:
        laboratory.down(state.check_name(options.name))


def _host(options: argparse.Namespace) -> dict[str, Any]:
    """The host that was named, as lab.json describes it."""
    hosts: dict[str, dict[str, Any]] = {host["name"]: host for host in state.need(options.name)["hosts"]}
    if options.host not in hosts:
        raise LabError(f"There is no host {options.host} in this lab; its hosts are: {', '.join(hosts)}.")
    return hosts[options.host]


def _lose(options: argparse.Namespace) -> None:
    laboratory.lose(_host(options))


def _exec(options: argparse.Namespace) -> None:
    container = _host(options)["container"]
    flags = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    os.execvp("docker", ["docker", "exec", *flags, container, *options.words])  # noqa: S606 the program takes over the terminal


def _app(options: argparse.Namespace) -> None:
    app.run(state.need(options.name), options.action)


COMMANDS = {
    "up": _up,
    "status": _status,
    "urls": _urls,
    "down": _down,
    "lose": _lose,
    "exec": _exec,
    "app": _app,
}
