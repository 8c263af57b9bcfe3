"""What the exporter of KPIs is given, and its dashboard. What it makes of it: tests/rules/test_query_exporter.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import fragment, service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.config import databases, queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.dashboard import business

PASSWORD = "p@ss:w/rd%41"
ORDERS: dict[str, Any] = {"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}


def app(name: str, *kpis: dict[str, Any], **database: Any) -> dict[str, Any]:
    return {"name": name, "database": {"name": name, **database}, "kpis": list(kpis)}


def made(*apps: dict[str, Any], folder: Path = Path(), password: str = PASSWORD, **declared: Any) -> Context:
    secrets = {"database_kpi_password": password}
    everything = {"apps": list(apps), **declared}
    return context_of(everything, folder=folder, registry=REGISTRY, secrets=secrets, total_mib=16_000)


def test_it_runs_only_where_a_kpi_is_declared() -> None:
    assert "query_exporter" not in made(app("shop")).services
    assert "query_exporter" in made(app("shop"), app("till", ORDERS)).services


def test_one_name_in_two_apps_makes_two_series() -> None:
    found = queries(made(app("idle"), app("shop", ORDERS), app("till", {**ORDERS, "labels": ["region"]})))
    assert {name: metric["labels"] for name, metric in found["metrics"].items()} == {
        "kpi_orders_0": ["answered"],
        "kpi_orders_1": ["answered", "region"],
    }
    assert {name: query["databases"] for name, query in found["queries"].items()} == {
        "shop/orders": ["shop"],
        "till/orders": ["till"],
    }


def test_an_old_value_ends_and_a_question_waits_no_longer_than_until_the_next_one() -> None:
    found = queries(made(app("shop", {**ORDERS, "every": "1h"})))
    assert found["metrics"]["kpi_orders_0"]["expiration"] == 5400
    assert {key: found["queries"]["shop/orders"][key] for key in ("interval", "timeout")} == {
        "interval": 3600,
        "timeout": 3600,
    }


# In PostgreSQL \ and : are marks of the SQL; the exporter takes \: for a colon.
@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT 1 AS value; -- end", "(\nSELECT 1 AS value\n)"),
        ("SELECT 1 AS value -- why\n", "(\nSELECT 1 AS value\n)"),
        ("SELECT ':a'::text AS value", "(\nSELECT '\\:a'\\:\\:text AS value\n)"),
        (r"SELECT '\:a' AS value", "(\nSELECT '\\\\:a' AS value\n)"),
    ],
)
def test_sql_stands_on_lines_of_its_own_without_parameters(tmp_path: Path, sql: str, written: str) -> None:
    (tmp_path / "a.sql").write_text(f"-- What it is.\n{sql}")
    of_file = {"name": "orders", "file": "a.sql", "description": "Orders"}
    for kpi in ({**ORDERS, "sql": sql}, of_file):
        assert written in queries(made(app("shop", kpi), folder=tmp_path))["queries"]["shop/orders"]["sql"]


def test_a_login_is_read_only_short_and_in_the_declared_time_zone() -> None:
    found = databases(made(app("shop", ORDERS, ssl=True), app("idle"), timezone="Asia/Seoul"))["databases"]
    assert list(found) == ["shop"]
    dsn = found["shop"]["dsn"]
    options = "-c statement_timeout=5s -c default_transaction_read_only=on -c TimeZone=Asia/Seoul"
    assert (dsn["user"], dsn["password"]) == ("crowsnest_kpi", PASSWORD)
    assert (dsn["options"]["options"], dsn["options"]["sslmode"]) == (options, "require")
    assert found["shop"]["connection-pool"] == {"size": 1, "max-overflow": 0}


def test_the_password_is_in_its_secret_file_only() -> None:
    context = made(app("shop", ORDERS))
    assert PASSWORD not in "".join(service_files(context, "query_exporter").values())
    (text,) = context.secret_files("query_exporter").values()
    assert yaml.safe_load(text)["databases"]["shop"]["dsn"]["password"] == PASSWORD


def test_another_query_or_password_is_read_by_a_new_container() -> None:
    contexts = [
        made(app("shop", ORDERS)),
        made(app("shop", {**ORDERS, "sql": "SELECT 2 AS value"})),
        made(app("shop", ORDERS), password="another"),
    ]
    labels = {str(fragment(each, "query_exporter")["services"]["query_exporter"]["labels"]) for each in contexts}
    assert len(labels) == len(contexts)


# --- the dashboard ----------------------------------------------------------------------------------------------------

ALERTING = {
    **ORDERS,
    "name": "revenue_today",
    "unit": "KRW",
    "alert": {"below": 50000},
}
BY_REGION = {**ORDERS, "name": "by_region", "labels": ["region"], "alert": {"above": 7}}


def test_numbers_come_first_in_the_declared_order_and_have_units_and_colours() -> None:
    row, _ = business(made(app("shop", ALERTING, BY_REGION, ORDERS))).rows
    revenue, orders, by_region = row.panels
    assert [panel.title for panel in row.panels] == ["Revenue today", "Orders", "By region"]
    assert [panel.kind for panel in row.panels] == ["stat", "stat", "timeseries"]
    assert (revenue.unit, revenue.base, revenue.thresholds[0].value) == ("currency:financial:KRW ", "red", 50000)
    assert (by_region.base, by_region.thresholds[0].color) == ("green", "red")
    assert by_region.queries[0].legend == "{{region}}"
    assert (orders.base, orders.thresholds) == ("blue", ())


def test_a_declared_title_stands_in_place_of_the_name() -> None:
    row, _ = business(made(app("shop", {**ORDERS, "title": "오늘 주문 수"}))).rows
    assert [panel.title for panel in row.panels] == ["오늘 주문 수"]


def test_titles_name_the_app_where_there_are_several() -> None:
    rows = business(made(app("shop", ORDERS), app("till", ORDERS))).rows[:2]
    assert [panel.title for row in rows for panel in row.panels] == ["Orders (shop)", "Orders (till)"]
