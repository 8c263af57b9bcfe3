"""Series that an app names in `signals`: what is taken, and the app's own one of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import Signals, of_app

TAKEN = {
    "shop_refunds_total": 'shop_refunds_total{app="shop"}',
    "shop:refunds:sum": 'shop:refunds:sum{app="shop"}',
    "refunds{}": 'refunds{app="shop"}',
    'payments_total{status="failed"}': 'payments_total{app="shop", status="failed"}',
    'payments_total{ status =~ "failed|expired" , method!="test"}': (
        'payments_total{app="shop", status =~ "failed|expired" , method!="test"}'
    ),
    'products{state="품절"}': 'products{app="shop", state="품절"}',
    'calls{mapp="x"}': 'calls{app="shop", mapp="x"}',
}


@pytest.mark.parametrize("series", TAKEN)
def test_a_series_is_that_of_the_app(series: str) -> None:
    assert of_app(str(Signals(refunds=series).refunds), "shop") == TAKEN[series]


REFUSED = [
    "",
    "9lives",
    "shop refunds",
    "sum(refunds_total)",
    "refunds_total[5m]",
    "refunds_total > 1",
    "refunds_total or vector(1)",
    "refunds_total{status}",
    "refunds_total{status=failed}",
    'refunds_total{status="failed}',
    'refunds_total{status="a\\"}',
    'refunds_total{status=~"("}',
    'refunds_total{app="other"}',
    'refunds_total{reason="x",app!="other"}',
]


# {regular expression that Python can read: whether Prometheus can, as promtool says}
EXPRESSIONS = {
    "(?:failed|expired)": True,
    "(?i)failed": True,
    "(?i:failed)": True,
    "(?s-i:failed)": True,
    "(?P<why>failed).*?": True,
    "[*+][(?=]": True,
    "5[0-9]{2}": True,
    "a{0,1000}": True,
    "a}+": True,
    "(?=a)b": False,
    "(?!a)b": False,
    "(?<=a)b": False,
    "(?<!a)b": False,
    "(?P<a>b)(?P=a)": False,
    "(a)?(?(1)b|c)": False,
    "(?>a)b": False,
    "(?#a)b": False,
    "(?x)b": False,
    "a*+": False,
    "a++": False,
    "a?+": False,
    "a{2}+": False,
    "a{1001}": False,
    "a{0,2000}": False,
}


def taken(expression: str) -> bool:
    try:
        return bool(Signals(refunds=f'refunds_total{{reason=~"{expression}"}}'))
    except ValidationError:
        return False


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_regular_expression_is_one_that_prometheus_reads(expression: str) -> None:
    assert taken(expression) == EXPRESSIONS[expression]


@pytest.mark.parametrize("series", REFUSED)
def test_what_is_no_series_of_the_app_is_refused(series: str) -> None:
    with pytest.raises(ValidationError):
        Signals(refunds=series)
