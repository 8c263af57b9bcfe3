# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of an app's own series tell how its business does, so that crowsnest's alerts can watch them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Strict

# https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels, matchers as in PromQL, without escapes.
_MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*"[^"\\\n]*"'
_SERIES = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{{\s*({_MATCHER}(?:\s*,\s*{_MATCHER})*)?\s*,?\s*\}})?")

# What Python reads and Prometheus does not, outside of brackets: groups other than (?:…), (?P<name>…) and those of the
# flags i, m and s; possessive quantifiers; counts over 1000. https://github.com/google/re2/wiki/Syntax
_NOT_RE2 = re.compile(
    r"\(\?(?!:|P?<[a-zA-Z_]|[ims]*(?:-[ims]+)?[:)])"
    r"|(?:[*+?]|\{[0-9,]+\})\+"
    r"|\{(?:[0-9]*,)?(?!1000[,}])[0-9]{4,}"
)
_BRACKETS = re.compile(r"\[\^?\]?[^\]]*\]")


def _series(text: str) -> str:
    found = _SERIES.fullmatch(text)
    if not found:
        raise ValueError(
            'the name of a series, with labels if only some count, such as shop_payments_total{status="failed"}'
        )
    for pattern in re.findall(r'[=!]~\s*"([^"]*)"', found[2] or ""):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"regular expressions that can be read; one of these cannot: {error}") from None
        if lacking := _NOT_RE2.search(_BRACKETS.sub("", pattern)):
            raise ValueError(f"regular expressions that Prometheus can read (RE2), without {lacking[0]}")
    if re.search(r"(^|[,\s])app\s*(=|!)", found[2] or ""):
        raise ValueError("labels of the series itself: crowsnest adds `app`")
    return text


def name_of(series: str) -> str:
    """`a{b="c"}` → `a`: its name without labels."""
    return series.partition("{")[0].strip()


def of_app(series: str, app: str) -> str:
    """`a{b="c"}` → `a{app="shop", b="c"}`: that series of the app of this name."""
    found = _SERIES.fullmatch(series)
    if not found:
        raise ValueError(f"{series!r} is no series")
    matchers = ", ".join(filter(None, [f'app="{app}"', found[2]]))
    return f"{found[1]}{{{matchers}}}"


Series = Annotated[str, AfterValidator(_series)]


class Signals(Strict):
    """Series that the app itself exports; each one that is named gets its alert.

    A gauge is a value of now, a counter only rises. Values of several labels are added up.
    """

    payment_up: Series | None = Field(
        None, description="Gauge: 1 when the payment system works, else 0; of several providers, the worst counts."
    )
    failed_payments: Series | None = Field(
        None, description='Counter of payments that failed, such as shop_payments_total{status="failed"}.'
    )
    refunds: Series | None = Field(None, description="Counter of refunds, such as shop_refunds_total.")
    rate_limited: Series | None = Field(
        None, description="Counter of calls that another company's API refused because there were too many."
    )
    out_of_stock: Series | None = Field(
        None, description='Gauge of products out of stock, such as shop_products{state="out_of_stock"}.'
    )
    exceptions: Series | None = Field(
        None, description="Counter of exceptions, watched in place of what the framework's library counts."
    )
