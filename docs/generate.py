# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the pages of docs/ that are generated from the code, so that no fact is written twice.

    PYTHONPATH=collections python docs/generate.py

`pages` is pure: {file: text}; a test compares it with what is committed.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings as model
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import RefusalError
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.sentences import fields
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, ROOT, static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import Language
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    EVERY_KIND,
    app_files,
    texts_in,
)

DOCS = ROOT / "docs"
PREFIX = "crowsnest_"


def pages() -> dict[str, str]:
    """{path below docs/: text} of every generated file."""
    return {
        "declaration.md": declaration_page(),
        "declaration.schema.json": schema(),
        "roles.md": roles_page(),
        "runbooks/README.md": runbooks_page("en"),
        "runbooks/ko/README.md": runbooks_page("ko"),
        "services.md": services_page(),
    }


def notice(source: str) -> str:
    """One line that says what generates a page."""
    return f"Made by docs/generate.py from {source}. Change that, then: PYTHONPATH=collections python docs/generate.py"


def page(source: str, title: str, *parts: str) -> str:
    """A Markdown page: its origin, its title, its parts."""
    return "\n\n".join([f"<!-- {notice(source)} -->\n\n# {title}", *parts]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell would end it."""
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *cells])


# --- the declaration --------------------------------------------------------------------------------------------------

_INTRO = f"""\
Everything crowsnest knows about your hosts and apps is in the variables `{PREFIX}*` of an inventory, in
`group_vars/all/*.yml`. Unknown keys are refused, and all mistakes are reported at once before anything is changed.
Complete files to read and copy: [inventories/example](../inventories/example). Every key is explained below.

For completion and checks in an editor with a YAML language server, put this line first in a file of `group_vars/all/`:

```yaml
# yaml-language-server: $schema=../../../../docs/declaration.schema.json
```

Services, where a key names one: {", ".join(f"`{name}`" for name in REGISTRY)}."""

# What the page shows of refusals is what the program says of these variables.
_WRONG: dict[str, Any] = {
    "crowsnest_apps": [{"name": "shop", "framwork": "django", "thresholds": {"error_ratio": 5}}],
    "crowsnest_receivers": [{"type": "slak"}],
}


def declaration_page() -> str:
    """docs/declaration.md: every variable and every key, from the model."""
    sections = [f"## {_title(cls)}\n\n{_about(cls)}\n\n{fields_table(cls)}" for cls in _models()]
    return page(
        "plugins/plugin_utils/declaration/settings.py",
        "The declaration",
        _INTRO,
        f"## Variables\n\n{fields_table(model.Declaration, PREFIX)}",
        *sections,
        "## What a mistake looks like\n\n```yaml\n" + yaml.safe_dump(_WRONG, sort_keys=False).rstrip() + "\n```",
        "gives, with nothing changed on any host:\n\n```text\n" + "\n".join(_refusals()) + "\n```",
    )


def _refusals() -> list[str]:
    return declaration_mistakes(_WRONG, {"server": ["web1"], "monitored": ["web1"]}, "")


def _models() -> list[type[BaseModel]]:
    """The models below the declaration, each once, in the order a reader meets them."""
    found: list[type[BaseModel]] = []
    for field in model.Declaration.model_fields.values():
        for cls in _models_in(field.annotation):
            found += [each for each in (*_shared(cls)[::-1], cls, *_below(cls)) if each not in found]
    return found


def _below(cls: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [each for item in cls.model_fields.values() for each in _models_in(item.annotation)]
    return list(dict.fromkeys([each for it in inner for each in (it, *_below(it))]))


def _shared(cls: type[BaseModel]) -> list[type[BaseModel]]:
    """The models, nearest first, whose many keys are described once for all that share them."""
    bases = [base for base in cls.__mro__[1:] if issubclass(base, model.Strict)]
    return [base for base in bases if len(base.model_fields) > 1]


def _about(cls: type[BaseModel]) -> str:
    """A model's own description, and the keys that it shares with others."""
    words = " ".join((cls.__doc__ or "").split())
    links = " and ".join(f"[{_title(base)}](#{_anchor(base)})" for base in _shared(cls))
    return f"{words} Beside its own keys it has those of {links}." if links else words


def _anchor(cls: type[BaseModel]) -> str:
    return _title(cls).lower().replace(" ", "-")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [cls for argument in get_args(annotation) for cls in _models_in(argument)]


def _title(cls: type[BaseModel]) -> str:
    """`SlackReceiver` → `Slack receiver`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f" {found[1].lower()}", cls.__name__)


def fields_table(cls: type[BaseModel], prefix: str = "") -> str:
    """A row per field of a model, but for those that it shares with others and describes alike."""
    rows = [
        [f"`{prefix}{name}`", _allowed(field.annotation, field.metadata), _default(field), field.description or ""]
        for name, field in fields(cls).items()
        if not any(name in (of := fields(base)) and of[name].description == field.description for base in _shared(cls))
    ]
    return table(["Key", "Allowed", "Default", "What it says"], rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "as below"
    return "" if field.default is None else f"`{json.dumps(field.default, default=_set)}`"


def _set(value: BaseModel) -> dict[str, Any]:
    """Only what is not a default itself."""
    return value.model_dump(mode="json", exclude_unset=True)


def _allowed(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What a value may be, in words, from a type annotation and its constraints."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _allowed(inner, [*_flat(more), *metadata])
    words = _validator_words(metadata, annotation is SecretStr)
    if words:
        return words
    alternatives = [each for each in get_args(annotation) if each is not types.NoneType]
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_allowed(each, metadata) for each in alternatives)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in alternatives)
    if get_origin(annotation) is list:
        return "list: " + _allowed(alternatives[0])
    if get_origin(annotation) is dict:
        return "name: " + _allowed(alternatives[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_title(annotation)}](#{_anchor(annotation)})"
    return _plain(annotation, metadata)


def _flat(metadata: Sequence[Any]) -> list[Any]:
    return [each for item in metadata for each in (item.metadata if isinstance(item, FieldInfo) else [item])]


def _validator_words(metadata: Sequence[Any], secret: bool) -> str:
    """What a validator accepts, from its refusal; with several the last one, which is the strictest."""
    for item in reversed(metadata):
        for probe in ("1s", "") if isinstance(item, AfterValidator) else ():
            try:
                item.func(SecretStr(probe) if secret else probe)
            except RefusalError:
                continue  # it says what is wrong, not what is allowed
            except ValueError as refusal:
                return f"{refusal} (a secret)" if secret else str(refusal)
    return ""


_WORDS = {str: "text", int: "whole number", float: "number", bool: "yes or no", SecretStr: "text (a secret)"}


def _plain(annotation: Any, metadata: Sequence[Any]) -> str:
    limits = {
        name: getattr(item, name)
        for item in metadata
        for name in ("pattern", "ge", "gt", "le")
        if getattr(item, name, None) is not None
    }
    if "pattern" in limits:
        return f"text of the form `{limits['pattern']}`"
    words = _WORDS[annotation]
    phrases = {"ge": "at least", "gt": "more than", "le": "at most"}
    return ", ".join([words, *(f"{phrases[name]} {limit}" for name, limit in limits.items())])


def schema() -> str:
    """docs/declaration.schema.json for editors; it ignores variables that are not crowsnest's."""
    made = model.Declaration.model_json_schema()
    known = {PREFIX + name: field for name, field in made.pop("properties").items()}
    del made["additionalProperties"]
    return (
        json.dumps(
            {
                "$comment": notice("plugins/plugin_utils/declaration/settings.py"),
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **made,
                "title": "Variables of crowsnest",
                "properties": known,
                "propertyNames": {"anyOf": [{"enum": list(known)}, {"not": {"pattern": f"^{PREFIX}"}}]},
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


# --- the roles --------------------------------------------------------------------------------------------------------

_ROLES_INTRO = """\
One role per service. Most of what a team sets is in [the declaration](declaration.md); the variables here are for the
rest. Set one like any other variable, in `group_vars/all/*.yml` or for a single host. A default in `{{ … }}` comes from
the declaration or from the plan of the run and is rarely set by hand."""


def roles_page() -> str:
    """docs/roles.md: every public variable of every role."""
    specs = sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))
    return page(
        "roles/*/meta/argument_specs.yml",
        "The roles",
        _ROLES_INTRO,
        *(_role(path.parents[1].name, yaml.safe_load(path.read_text())) for path in specs),
    )


def _role(name: str, specs: dict[str, Any]) -> str:
    main = specs["argument_specs"]["main"]
    rows = [
        [f"`{key}`", _option_type(option), f"`{_one_line(option.get('default'))}`", _prose(option["description"])]
        for key, option in main["options"].items()
    ]
    text = f"## {name}\n\n{main['short_description']}.\n\n{_prose(main['description'])}"
    return f"{text}\n\n{table(['Variable', 'Type', 'Default', 'What it says'], rows)}"


def _option_type(option: dict[str, Any]) -> str:
    if "choices" in option:
        return ", ".join(f"`{choice}`" for choice in option["choices"])
    return f"{option['type']} of {option['elements']}" if "elements" in option else str(option["type"])


def _one_line(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _prose(text: str | list[str]) -> str:
    """Ansible's description, with its markup (V(x), C(x), U(x) …) as Markdown's."""
    joined = " ".join(text if isinstance(text, list) else [text])
    linked = re.sub(r"\bU\(([^)]+)\)", r"<\1>", joined)
    return re.sub(r"\b[CVOMP]\(([^)]+)\)", r"`\1`", linked)


# --- the services -----------------------------------------------------------------------------------------------------

_SERVICES_INTRO = """\
What the stack on the server is made of, the most important one first: when memory is short, the last ones are switched
off. Each listens on the server's loopback and runs as a numeric user of its own. The memory is what one takes in normal
work, and where the kernel stops it; a Java program has its heap on top of both, Prometheus more for each host and
app. A port, an image, a password are changed in [the declaration](declaration.md); what protects the services is in
[security.md](security.md)."""


def services_page() -> str:
    """docs/services.md: every service, from its value."""
    head = ["Service", "Address", "User", "Memory, limit (MiB)", "Secrets that are made once"]
    rows = [
        [
            f"`{service.name}`",
            f"127.0.0.1:{service.port}" + (" and the next free ones" if service.instances else ""),
            str(service.user),
            f"{service.need_mib}, {service.limit_mib}",
            ", ".join(f"`{secret.name}`" for secret in service.generated_secrets),
        ]
        for service in REGISTRY.values()
    ]
    return page("plugins/plugin_utils/services", "The services", _SERVICES_INTRO, table(head, rows))


# --- the runbooks -----------------------------------------------------------------------------------------------------

_RUNBOOKS = {
    "en": (
        "Alerts and runbooks",
        "All alerts, and what to do when one arrives. The link in a message leads to the same pages. Severity and "
        "threshold are\nthe defaults; the message fills in *words in italics*. In Korean: [한국어](ko/README.md).",
        ["Alert", "Severity", "Threshold", "Says"],
    ),
    "ko": (
        "알림과 런북",
        '모든 알림과 그 조치 방법입니다. 메시지의 "조치 방법" 링크도 이 페이지들로 연결됩니다. 심각도와 임계값은 '
        "기본값입니다.\n메시지에서는 *기울임꼴 단어* 자리에 실제 값이 들어갑니다. 영어: [English](../README.md).",
        ["알림", "심각도", "임계값", "메시지"],
    ),
}
# Titles of the rule files, in this order; a file that is not among them comes last, titled as it is called.
_FILES = {
    "host": {"en": "Hosts", "ko": "호스트"},
    "updates": {"en": "Security updates of hosts", "ko": "호스트 보안 업데이트"},
    "containers": {"en": "Containers", "ko": "컨테이너"},
    "app": {"en": "Apps", "ko": "앱"},
    "dependency": {"en": "What apps depend on", "ko": "앱이 의존하는 서비스"},
    "budget": {"en": "Objectives of apps", "ko": "앱의 목표(SLO)"},
    "anomaly": {"en": "Unusual requests of apps", "ko": "평소와 다른 앱의 요청 수"},
    "signals": {"en": "What apps export of their business", "ko": "앱이 제공하는 비즈니스 지표"},
    "kpi": {"en": "KPIs, with the bounds that a team declares", "ko": "KPI(임계값은 팀에서 설정)"},
    "query_exporter": {"en": "KPIs without an answer", "ko": "조회되지 않는 KPI"},
    "probes": {"en": "Addresses and health endpoints", "ko": "주소와 헬스 체크"},
    "sentry": {"en": "Sentry", "ko": "Sentry"},
    "uptime": {"en": "Monitors of Uptime Kuma", "ko": "Uptime Kuma 모니터"},
    "backup": {"en": "Backups", "ko": "백업"},
    "metabase": {"en": "Metabase", "ko": "Metabase"},
    "stack": {"en": "The monitoring itself", "ko": "모니터링 자체"},
}


def runbooks_page(language: Language) -> str:
    """The index of the runbooks in a language: all alerts with severity, threshold and summary."""
    title, intro, head = _RUNBOOKS[language]
    sections = [
        f"## {name}\n\n{table(head, list(_alert_rows(file, language)))}" for file, name in _rule_files(language).items()
    ]
    return page("files/rules and plugins/plugin_utils/services/prometheus", title, intro, *sections)


def _rule_files(language: Language) -> dict[str, str]:
    """{name of a file with alerts: its title}."""
    names = [
        Path(name).stem
        for name, file in static_rules().items()
        if any("alert" in rule for group in file["groups"] for rule in group["rules"])
    ]
    titles = {name: title[language] for name, title in _FILES.items()}
    return {**titles, **{name: name.replace("_", " ").capitalize() for name in names if name not in titles}}


def _alert_rows(name: str, language: Language) -> Iterator[list[str]]:
    files = {path: file["groups"] for path, file in static_rules().items()} | app_files([EVERY_KIND], language)
    severities = _severities(language)
    for rule in (rule for group in files[f"{name}.yml"] for rule in group["rules"] if "alert" in rule):
        texts, severity = texts_in(language, rule["annotations"]), rule["labels"]["severity"]
        summary = re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", texts["summary"])
        link = f"[{rule['alert']}]({rule['alert']}.md)"
        yield [link, severities.get(severity, severity), texts["threshold"], summary]


def _severities(language: Language) -> dict[str, str]:
    """{severity: the word for it in messages}; in English the index has the labels' own values."""
    if language == "en":
        return {}
    words = yaml.safe_load((FILES / "messages/words.yml").read_text())[language]
    return {**words["message"]["severity"], "none": words["test_alert"]["threshold"]}


def write(folder: Path = DOCS) -> None:
    """Writes all generated files."""
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write()
