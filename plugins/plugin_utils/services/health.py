# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How a detailed health answer is read: one set of rules, in the languages of the two programs that probe.

blackbox exporter judges by CEL, Uptime Kuma by JSONata. A component may be in these places:

    {"database": {"status": "up"}}                                    at the top
    {"services": {"database": {"status": "up"}}}                      below a word of GROUPS
    {"services": [{"service": "database", "status": "up"}]}           in a list, there or at the top

Its status is a word of WELL or SICK, or true or false; it may stand for the whole component, as in {"database": "ok"}.
Case does not matter. A component may occur more than once: it is healthy if one place says so and none says the
opposite. A word for `status` itself is the status of everything around it. Anything else in an answer is not
understood, and never counts as "down".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# Where frameworks put their components: NestJS terminus has details, info and error, Spring Boot components, Quarkus
# checks, ASP.NET entries.
GROUPS = ("services", "components", "checks", "entries", "dependencies", "details", "info", "error")
NAME_KEYS = ("service", "name", "component")
WELL = (
    *("healthy", "ok", "okay", "up", "pass", "passed", "passing", "success", "good", "green", "normal"),
    *("yellow", "warn", "warning"),  # works, with a concern
    *("working", "running", "alive", "available", "online", "connected", "operational", "ready", "active", "serving"),
)
SICK = (
    *("unhealthy", "down", "fail", "failed", "failing", "failure", "error", "bad", "red", "critical", "fatal"),
    *("degraded", "unavailable", "unreachable", "offline", "disconnected", "dead"),
    *("stopped", "timeout", "out_of_service", "not_serving"),
)
# The page fails because of a component, and still says which: 503 in most frameworks, 500 in some.
STATUSES = (200, 500, 503)


def component_judged(component: str) -> dict[str, Any]:
    """Fields `http` of the blackbox module of one component: the answer can be read, and does not report it as down."""
    return _judged(f"!{_in_answer([component], SICK, '== false')}")


def answer_judged(components: Iterable[str]) -> dict[str, Any]:
    """Fields `http` of the blackbox module that succeeds when the answer has a known status for each component."""
    return _judged(_in_answer(components, (*WELL, *SICK), "in [true, false]"))


def _judged(expression: str) -> dict[str, Any]:
    """https://github.com/prometheus/blackbox_exporter/blob/master/CONFIGURATION.md#http_probe"""
    return {"valid_status_codes": list(STATUSES), "fail_if_body_json_not_matches_cel": expression}


# --- CEL: https://github.com/google/cel-spec/blob/master/doc/langdef.md ---------------------------------------------


def _in_answer(components: Iterable[str], words: Iterable[str], flag: str) -> str:
    """Whether some place of the answer, the variable `body`, gives each component one of these words, or this flag."""
    status = f"{{0}}.exists(s, {_is_word('s', ['status'])} && {_says('{0}[s]', words, flag)})"
    # A word that stands for `status` is the status of everything around it, not of a component with this name.
    whole = f"!{_is_word('k', ['status'])} && {_says('m[k]', words, flag)}"
    in_mapping = f"m.exists(k, k.matches(c) && (type(m[k]) == map ? {status.format('m[k]')} : {whole}))"
    entry = f"e.exists(n, {_is_word('n', NAME_KEYS)} && type(e[n]) == string && e[n].matches(c))"
    in_list = f"m.exists(e, type(e) == map && {entry} && {status.format('e')})"
    groups = f"body.map(g, {_is_word('g', GROUPS)}, dyn(body[g]))"
    places = f"([dyn(body)] + (type(dyn(body)) == map ? {groups} : []))"
    found = f"{places}.exists(m, type(m) == map ? {in_mapping} : type(m) == list && {in_list})"
    return f"[{', '.join(_pattern([component]) for component in components)}].all(c, {found})"


def _says(value: str, words: Iterable[str], flag: str) -> str:
    return f"(type({value}) == string ? {_is_word(value, words)} : {value} {flag})"


def _is_word(value: str, words: Iterable[str]) -> str:
    return f"{value}.matches({_pattern(words)})"


def _pattern(words: Iterable[str]) -> str:
    return f"r'(?i)^({'|'.join(re.escape(word) for word in words)})$'"


# --- JSONata: https://docs.jsonata.org/overview ---------------------------------------------------------------------

_JSONATA = """(
  $verdict := function($said) { "down" in $said ? "down" : "up" in $said ? "up" };
  $says := function($it) {(
    $word := $type($it) = "string" ? $lowercase($it) : $it;
    $word = true or $word in WELL ? "up" : $word = false or $word in SICK ? "down"
  )};
  $status := function($it) { $verdict($each($it, function($value, $key) {
    $lowercase($key) = "status" ? $says($value)
  })) };
  $named := function($it) { $type($it) = "object" and COMPONENT in $each($it, function($value, $key) {
    $lowercase($key) in NAME_KEYS and $type($value) = "string" ? $lowercase($value)
  }) };
  $place := function($it) { $verdict(
    $type($it) = "object" ? $each($it, function($value, $key) {
      $lowercase($key) = COMPONENT ? $type($value) = "object" ? $status($value) : COMPONENT != "status" ? $says($value)
    })
    : $type($it) = "array" ? $map($filter($it, $named), $status)
  ) };
  $found := $verdict([$place($), $type($) = "object" ? $each($, function($value, $key) {
    $lowercase($key) in GROUPS ? $place($value)
  })]);
  $exists($found) ? $found : "unknown"
)"""


def component_in_kuma(component: str) -> dict[str, Any]:
    """Fields of a json-query monitor of Uptime Kuma, which is down only when the answer says "down".

    A readable answer that is not understood is "unknown" there, and the monitor stays up.
    """
    lists = {"WELL": WELL, "SICK": SICK, "NAME_KEYS": NAME_KEYS, "GROUPS": GROUPS, "COMPONENT": component.lower()}
    constants = {name: json.dumps(value) for name, value in lists.items()}
    expression = re.sub("|".join(constants), lambda found: constants[found[0]], _JSONATA)
    return {
        "type": "json-query",
        "accepted_statuscodes": [str(status) for status in STATUSES],
        "jsonPath": " ".join(expression.split()),
        "jsonPathOperator": "!=",
        "expectedValue": "down",
    }
