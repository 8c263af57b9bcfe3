# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sources and dashboards from provisioning/, refused or only logged for Grafana's reasons and in its words.

Facts: pkg/services/provisioning/datasources/{config_reader,datasources,types}.go and
pkg/services/provisioning/dashboards/{config_reader,dashboard,file_reader,validator}.go of
https://github.com/grafana/grafana. Of two files with one uid the last one is saved, then their provider may write no
more until the duplicate is gone. A provider with `updateIntervalSeconds` of at most 10 does not poll its path, it
watches the directory that the path led to when it began: a link that is turned elsewhere goes unnoticed.

The resolved path of a provider and the name of a file below it are the identity of a dashboard (resolvedPath,
handleMissingDashboardFiles). Where a link in that path is turned, all are deleted and made anew; a link to a single
file may be turned.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import secrets
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from double.settings import StartError, log
from double.state import State

SOURCES, LOGGER = "provisioning.datasources", "provisioning.dashboard"
_TOO_MANY = "datasource.yaml config is invalid. Only one datasource per organization can be marked as default"
_UNREADABLE = "Failed to read dashboards config: could not parse provisioning config file: {} error: "
_WATCH_AT_MOST, _WATCH_SECONDS = 10, 5
# Between deleting what is gone and saving what is new, when a dashboard moved to another path.
_GAP_SECONDS = 0.5
# Not data sources of their own, and never missing.
_BUILT_IN = ("", "grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --", "__expr__")


def provision_data_sources(folder: Path, state: State) -> None:
    """Apply all files to the database. StartError, with Grafana's words, when they are wrong."""
    try:
        documents = list(documents_in(folder, SOURCES, ""))
        wanted = [_source(entry, document) for document in documents for entry in document.get("datasources") or []]
        if sum(source["isDefault"] for source in wanted) > 1:
            raise StartError(_TOO_MANY)
        deleted = {entry["name"] for document in documents for entry in document.get("deleteDatasources") or []}
        kept = {source["name"] for source in wanted}
        for name, source in state.data_sources().items():
            if name in deleted or (source["isPrunable"] and name not in kept):
                state.delete_data_source(name)
        for source in wanted:
            _save_source(state, source)
    except StartError as refused:
        raise StartError(f"Datasource provisioning error: {refused}") from None


def documents_in(folder: Path, logger: str, words: str) -> Iterator[dict[str, Any]]:
    """The content of each YAML file. A folder that cannot be read is logged; `words` begin the StartError of a file."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        log(logger, "error", "can't read provisioning files from directory", path=folder, error=error)
        return
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            if not isinstance(document, dict) or (logger == LOGGER and not document.get("apiVersion")):
                raise ValueError("unmarshal errors: cannot unmarshal")
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise StartError(f"{words.format(path.name)}yaml: {' '.join(str(error).split())}") from None
        if not document.get("apiVersion"):
            log(
                logger, "warn", "[Deprecated] the datasource provisioning config is outdated. please upgrade", file=path
            )
        yield document


def _source(entry: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A data source as the API shows it. The format without apiVersion knows no uid."""
    source = {field: str(entry.get(field) or "") for field in ("name", "type", "url", "user")}
    source |= {field: bool(entry.get(field)) for field in ("isDefault", "basicAuth")}
    source |= {"jsonData": entry.get("jsonData") or {}, "readOnly": not entry.get("editable"), "orgId": 1, "version": 1}
    source["access"] = "direct" if entry.get("access") == "direct" else "proxy"
    source["uid"] = str(entry.get("uid") or "") if document.get("apiVersion") else ""
    source["isPrunable"] = bool(document.get("prune"))
    return source


def _save_source(state: State, source: dict[str, Any]) -> None:
    """The name decides whether it is new; an existing one cannot get another uid (Grafana 12.4 and later)."""
    name, known = source["name"], state.data_sources()
    if not name:
        raise StartError("unique identifier and org id are needed to be able to get or delete a datasource")
    if source["uid"] and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", source["uid"]):
        raise StartError(f"[datasource.uidInvalid] invalid UID for datasource {name}")
    if name in known:
        if source["uid"] not in ("", known[name]["uid"]):
            raise StartError("data source not found")
        source |= {"uid": known[name]["uid"], "version": known[name]["version"] + 1}
    else:
        source["uid"] = source["uid"] or f"P{hashlib.sha256(name.encode()).hexdigest()[:16]}".upper()
        source["isDefault"] = source["isDefault"] or not known
    try:
        state.save_data_source(source)
    except LookupError:
        raise StartError("data source with the same uid already exists") from None
    for other in known.values() if source["isDefault"] else ():
        if other["isDefault"] and other["name"] != name:
            state.save_data_source({**other, "isDefault": False})


@dataclass(eq=False)
class Provider:
    """One entry of `providers`; `restricted` while duplicates keep it from writing.

    `seen`: (uid, folder uid, title) of each of its files.
    """

    name: str
    folder: str
    folder_uid: str
    path: str
    interval: int
    restricted: bool = False
    seen: list[tuple[str, str, str]] = field(default_factory=list)


# Of dashboards that people made: none.
NOBODY = Provider("", "", "", "", 0)


@dataclass
class Dashboard:
    """One stored dashboard; `path` is the file it came from, below the resolved path of its provider.

    `number` is its id: stars, annotations and versions hang on it.
    """

    number: int
    uid: str
    title: str
    provider: Provider
    path: str
    checksum: str
    model: dict[str, Any]
    version: int

    @property
    def url(self) -> str:
        """Its address below the root URL."""
        return f"/d/{self.uid}/{slug(self.title)}"


class Library:
    """All dashboards by uid and folders {uid: title}; `second` shortens time in tests."""

    def __init__(self, configuration: Path, state: State, second: float = 1.0) -> None:
        self.configuration, self.state, self.second = configuration, state, second
        self.dashboards: dict[str, Dashboard] = {}
        self.folders: dict[str, str] = {}
        self.providers: list[Provider] = []
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.stopped = threading.Event()
        for model in state.own_dashboards():
            self._keep(model)

    def save_own(self, model: dict[str, Any]) -> Dashboard:
        """Save what a person made; it is in no folder."""
        uid = model.get("uid") or secrets.token_urlsafe(9)
        with self.lock:
            version = self.dashboards[uid].version + 1 if uid in self.dashboards else 1
            model = {**model, "uid": uid, "tags": model.get("tags") or [], "version": version}
            self.state.save_own_dashboard(model)
            return self._keep(model)

    def _keep(self, model: dict[str, Any]) -> Dashboard:
        known = self.dashboards.get(model["uid"])
        number = known.number if known else next(self.numbers)
        kept = Dashboard(number, model["uid"], model["title"], NOBODY, "", "", model, model["version"])
        self.dashboards[kept.uid] = kept
        return kept

    def provision(self) -> None:
        """Read the configuration and every file, then follow them. StartError when the configuration is wrong."""
        try:
            documents = documents_in(self.configuration, LOGGER, _UNREADABLE)
            providers = [_provider(entry) for document in documents for entry in document.get("providers") or []]
        except StartError as refused:
            raise StartError(f"Failed to create provisioner: {refused}") from None
        with self.lock:
            self.stopped.set()
            self.stopped = threading.Event()
            self.providers = providers
            by_name = {provider.name: provider for provider in providers}
            for dashboard in list(self.dashboards.values()):
                if dashboard.provider is NOBODY:
                    continue
                if dashboard.provider.name in by_name:
                    dashboard.provider = by_name[dashboard.provider.name]
                else:
                    del self.dashboards[dashboard.uid]
            for provider in providers:
                self._walk(provider)
            self._validate()
        for provider in providers:
            threading.Thread(target=self._follow, args=(provider, self.stopped), daemon=True).start()

    def listing(self) -> list[Dashboard]:
        """All dashboards, by title."""
        with self.lock:
            return sorted(self.dashboards.values(), key=lambda each: each.title.lower())

    def _follow(self, provider: Provider, stopped: threading.Event) -> None:
        """Poll, or watch the directory that the path leads to now."""
        watched, directory = provider.interval <= _WATCH_AT_MOST, Path(provider.path).resolve()
        before = _signature(directory)
        while not stopped.wait((_WATCH_SECONDS if watched else provider.interval) * self.second):
            after = _signature(directory)
            if watched and after == before:
                continue
            before = after
            with self.lock:
                if not stopped.is_set():
                    self._walk(provider)
                    self._validate()

    def _walk(self, provider: Provider) -> None:
        """Bring the dashboards of one provider to what its path holds now."""
        try:
            base = Path(provider.path).resolve(strict=True)
        except OSError as error:
            log(LOGGER, "warn", "Failed to provision config", configName=provider.name, error=error)
            return
        # Links to files are found, whether they lead anywhere or not; links to directories are not followed.
        files = {str(path) for path in base.rglob("*.json") if path.is_symlink() or path.is_file()}
        gone = [each for each in self.dashboards.values() if each.provider is provider and each.path not in files]
        for dashboard in gone:
            del self.dashboards[dashboard.uid]
        if gone and files:
            time.sleep(_GAP_SECONDS * self.second)
        if provider.folder:
            self.folders.setdefault(provider.folder_uid, provider.folder)  # one that exists keeps its title
        provider.seen = [seen for path in sorted(files) if (seen := self._save(provider, path))]

    def _save(self, provider: Provider, path: str) -> tuple[str, str, str] | None:
        """(uid, folder uid, title) of a file, saved unless it is known; None when it holds no dashboard."""
        try:
            content = Path(path).read_bytes()
            model = json.loads(content)
            if not isinstance(model, dict) or not str(model.get("title") or "").strip():
                raise ValueError("Dashboard title cannot be empty")
        except (OSError, ValueError) as error:
            log(LOGGER, "error", "failed to load dashboard from ", configName=provider.name, file=path, error=error)
            return None
        stored = self.dashboards.values()
        known = next((each for each in stored if each.path == path and each.provider is provider), None)
        checksum = hashlib.sha256(content).hexdigest()
        seen = (str(model.get("uid") or ""), provider.folder_uid, str(model["title"]))
        if known and known.checksum == checksum:
            return seen
        if provider.restricted:
            words = "Not saving new dashboard due to restricted database access"
            log(LOGGER, "warn", words, provisioner=provider.name, file=path)
            return seen
        model["tags"] = model.get("tags") or []
        uid = seen[0] or (known.uid if known else secrets.token_urlsafe(9))
        before = known or self.dashboards.get(uid)
        if known:
            del self.dashboards[known.uid]
        number, version = (before.number, before.version + 1) if before else (next(self.numbers), 1)
        self.dashboards[uid] = Dashboard(number, uid, seen[2], provider, path, checksum, model, version)
        for panel, name in lost_references(model, self.state.data_sources()):
            log("double", "error", "datasource not found", dashboard=uid, panel=panel, datasource=name)
        return seen

    def _validate(self) -> None:
        """Warn of duplicates over all providers, and take the right to write from those that hold them."""
        seen = [each for provider in self.providers for each in provider.seen]
        uids = {uid for uid, times in Counter(each[0] for each in seen).items() if uid and times > 1}
        titles = {title for title, times in Counter(each[1:] for each in seen).items() if times > 1}
        for uid in sorted(uids):
            log(LOGGER, "warn", "the same UID is used more than once", orgId=1, uid=uid)
        for folder, title in sorted(titles):
            words = "dashboard title is not unique in folder"
            log(LOGGER, "warn", words, orgId=1, title=title, folderUID=folder)
        for provider in self.providers:
            provider.restricted = any(each[0] in uids or each[1:] in titles for each in provider.seen)
            if provider.restricted:
                words = "dashboards provisioning provider has no database write permissions because of duplicates"
                log(LOGGER, "warn", words, orgId=1, provider=provider.name)


def _provider(entry: dict[str, Any]) -> Provider:
    """One provider. StartError in Grafana's words."""
    name, folder, path = entry.get("name") or "", entry.get("folder") or "", (entry.get("options") or {}).get("path")
    start = "Failed to initialize file readers"
    if entry.get("type", "file") != "file":
        raise StartError(f"{start}: type {entry['type']} is not supported")
    if not isinstance(path, str):
        words = f"failed to create file reader for config {name}: failed to load dashboards"
        raise StartError(f"{start}: {words}, path param is not a string")
    uid = (entry.get("folderUid") or slug(folder)) if folder else ""
    return Provider(name, folder, uid, path, int(entry.get("updateIntervalSeconds") or 10))


def _signature(directory: Path) -> dict[str, tuple[int, int]]:
    """What a watcher of the directory would notice: names, inodes and times."""
    try:
        stats = {str(path): path.lstat() for path in directory.rglob("*.json")}
    except OSError:  # a file went away meanwhile, which is a change too
        return {}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}


def lost_references(model: dict[str, Any], known: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(panel, data source) for each reference, by uid or by name, to a data source that does not exist."""
    names = {source["uid"] for source in known.values()} | set(known)
    for panel in [inner for outer in model.get("panels") or [] for inner in (outer, *(outer.get("panels") or []))]:
        parts = [panel, *(panel.get("targets") or [])]
        used = {_reference(part.get("datasource")) for part in parts} - names - set(_BUILT_IN)
        yield from ((str(panel.get("title", "")), name) for name in sorted(used) if name[0] != "$")


def _reference(datasource: Any) -> str:
    return str(datasource.get("uid") or "") if isinstance(datasource, dict) else str(datasource or "")


def slug(title: str) -> str:
    """A title as Grafana writes it in an address."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
