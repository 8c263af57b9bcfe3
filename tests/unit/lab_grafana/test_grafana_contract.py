"""What crowsnest relies on in Grafana, asked through the client library that Grafana's users use.

By default against the contract double, started here with a provisioned folder and a stand-in for Prometheus. With
GRAFANA_URL, GRAFANA_USER and GRAFANA_PASSWORD set, the same tests ask that Grafana instead; they change nothing there:
they read, and try three changes that Grafana refuses. It must be provisioned by crowsnest (data sources `prometheus`,
the default, and `alertmanager`; folders and dashboards from files) and reach its Prometheus:

    GRAFANA_URL=http://127.0.0.1:3000 GRAFANA_USER=admin GRAFANA_PASSWORD=… pytest tests/unit/lab_grafana
"""

import os
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaBadInputError, GrafanaClientError, GrafanaUnauthorizedError
from grafana_double import RECORDED, Double, provisioned, running, upstream


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    if url := os.environ.get("GRAFANA_URL"):
        yield Double(url.rstrip("/"), os.environ["GRAFANA_USER"], os.environ["GRAFANA_PASSWORD"])
        return
    folder = tmp_path_factory.mktemp("grafana")
    with upstream() as prometheus, running(provisioned(folder, prometheus.url)) as double:
        yield double


@pytest.fixture
def client(grafana: Double) -> GrafanaApi:
    return grafana.client()


def first_dashboard(client: GrafanaApi) -> dict:
    found = client.search.search_dashboards(type_="dash-db")
    return client.dashboard.get_dashboard(found[0]["uid"])


def test_health_needs_no_login_and_names_the_version(grafana: Double) -> None:
    answer = requests.get(f"{grafana.url}/api/health", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["database"] == "ok"
    assert answer.json()["version"].startswith("13.")
    assert answer.json()["commit"]


def test_the_client_library_connects_and_sees_the_version(client: GrafanaApi) -> None:
    assert client.connect()["version"] == client.version
    assert client.version.startswith("13.")


def test_the_administrator_is_who_logs_in(grafana: Double, client: GrafanaApi) -> None:
    user = client.user.get_actual_user()
    assert user["login"] == grafana.user
    assert user["isGrafanaAdmin"] is True


def test_without_a_login_the_api_says_unauthorized(grafana: Double) -> None:
    answer = requests.get(f"{grafana.url}/api/user", timeout=10)
    assert answer.status_code == 401
    body = answer.json()
    assert (body["message"], body["messageId"]) == ("Unauthorized", "auth.unauthorized")


@pytest.mark.parametrize("situation", RECORDED["answers"])
def test_answers_are_those_that_were_recorded(grafana: Double, situation: str) -> None:
    recorded = RECORDED["answers"][situation]
    url, nobody = f"{grafana.url}/api/{recorded['path']}", situation == "nobody is logged in"
    answer = requests.get(url, auth=None if nobody else (grafana.user, grafana.password), timeout=10)
    assert answer.status_code == recorded["status"]
    assert recorded["body"].items() <= answer.json().items()
    assert set(recorded["more"]) <= set(answer.json())


@pytest.mark.parametrize("path", ["datasources", "search", "folders", "datasources/proxy/uid/prometheus/api/v1/query"])
def test_nothing_is_read_without_a_login(grafana: Double, path: str) -> None:
    assert requests.get(f"{grafana.url}/api/{path}", timeout=10).status_code == 401


def test_a_wrong_password_is_unauthorized_and_says_not_which_part_is_wrong(grafana: Double) -> None:
    # A user that does not exist: the real administrator must not be locked by this test.
    stranger = GrafanaApi.from_url(grafana.url, credential=("no-such-user", "wrong"))
    with pytest.raises(GrafanaUnauthorizedError) as refused:
        stranger.user.get_actual_user()
    assert refused.value.response["message"] == "Invalid username or password"
    assert refused.value.response["messageId"] == "password-auth.failed"


def test_a_browser_without_a_login_is_sent_to_the_login_page(grafana: Double) -> None:
    answer = requests.get(f"{grafana.url}/", timeout=10, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/login")
    assert requests.get(f"{grafana.url}/login", timeout=10).status_code == 200


def test_a_login_gives_a_cookie_that_opens_the_api(grafana: Double) -> None:
    session = requests.Session()
    body = {"user": grafana.user, "password": grafana.password}
    answer = session.post(f"{grafana.url}/login", json=body, timeout=10)
    assert (answer.status_code, answer.json()["message"]) == (200, "Logged in")
    assert "grafana_session" in session.cookies
    assert session.get(f"{grafana.url}/api/user", timeout=10).json()["login"] == grafana.user


def test_both_data_sources_are_there_and_prometheus_is_the_default(client: GrafanaApi) -> None:
    found = {source["uid"]: source for source in client.datasource.list_datasources()}
    assert found["prometheus"]["type"] == "prometheus"
    assert found["prometheus"]["isDefault"] is True
    assert found["alertmanager"]["type"] == "alertmanager"
    assert found["alertmanager"]["jsonData"]["implementation"] == "prometheus"
    assert {source["access"] for source in found.values()} == {"proxy"}
    assert all(source["readOnly"] for source in found.values())


def test_a_data_source_is_found_by_uid_and_name(client: GrafanaApi) -> None:
    source = client.datasource.get_datasource_by_uid("prometheus")
    assert client.datasource.get_datasource_by_name(source["name"])["uid"] == "prometheus"


def test_an_unknown_data_source_is_not_found(client: GrafanaApi) -> None:
    with pytest.raises(GrafanaClientError) as missing:
        client.datasource.get_datasource_by_uid("no-such-source")
    assert missing.value.status_code == 404
    assert missing.value.response["message"] == "Data source not found"


def test_prometheus_is_healthy(client: GrafanaApi) -> None:
    answer = client.datasource.health("prometheus")
    assert answer["status"] == "OK"
    assert answer["message"] == "Successfully queried the Prometheus API."


def test_the_proxy_passes_a_query_by_get_and_by_post(grafana: Double, client: GrafanaApi) -> None:
    path = "datasources/proxy/uid/prometheus/api/v1/query"
    answer = grafana.get(f"{path}?query={quote('vector(7)')}")
    assert answer.json()["data"]["result"][0]["value"][1] == "7"
    posted = client.client.POST(f"/{path}", data={"query": "vector(7)"})
    assert posted["data"]["result"][0]["value"][1] == "7"


def test_the_proxy_passes_on_what_prometheus_says_of_a_wrong_query(grafana: Double) -> None:
    answer = grafana.get("datasources/proxy/uid/prometheus/api/v1/query?query=%28")
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"


@pytest.mark.parametrize(("method", "path"), [("POST", "admin/tsdb/snapshot"), ("DELETE", "series"), ("PUT", "query")])
def test_the_proxy_of_a_prometheus_changes_nothing_there(grafana: Double, method: str, path: str) -> None:
    answer = grafana.request(method, f"datasources/proxy/uid/prometheus/api/v1/{path}")
    assert answer.status_code == 403
    words = f"non allow-listed {method}s not allowed on proxied Prometheus datasource"
    assert answer.json()["message"] == words


def test_every_dashboard_is_in_a_folder_and_has_a_full_page(client: GrafanaApi) -> None:
    folders = {folder["uid"]: folder["title"] for folder in client.folder.get_all_folders()}
    hits = client.search.search_dashboards(type_="dash-db")
    assert hits
    for hit in hits:
        found = client.dashboard.get_dashboard(hit["uid"])
        assert found["dashboard"]["uid"] == hit["uid"]
        assert folders[found["meta"]["folderUid"]] == found["meta"]["folderTitle"] == hit["folderTitle"]
        assert found["meta"]["provisioned"] is True
        assert found["meta"]["provisionedExternalId"].endswith(".json")
        assert found["meta"]["url"] == hit["url"]
        assert hit["url"].startswith(f"/d/{hit['uid']}/")


def test_a_folder_is_found_by_its_uid_and_an_unknown_one_is_not(client: GrafanaApi) -> None:
    known = client.folder.get_all_folders()[0]
    assert client.folder.get_folder(known["uid"])["title"] == known["title"]
    with pytest.raises(GrafanaClientError) as missing:
        client.folder.get_folder("no-such-folder")
    assert missing.value.status_code == 404


def test_a_folder_can_be_renamed_and_keeps_that_name(grafana: Double, client: GrafanaApi) -> None:
    known = client.folder.get_all_folders()[0]
    try:
        client.folder.update_folder(known["uid"], title="다른 이름", overwrite=True)
        assert grafana.request("POST", "admin/provisioning/dashboards/reload").status_code == 200
        assert client.folder.get_folder(known["uid"])["title"] == "다른 이름"
    finally:
        client.folder.update_folder(known["uid"], title=known["title"], overwrite=True)


def test_search_narrows_by_title_tag_folder_and_uid(client: GrafanaApi) -> None:
    found = first_dashboard(client)
    uid, model, meta = found["dashboard"]["uid"], found["dashboard"], found["meta"]
    for narrowed in (
        client.search.search_dashboards(query=model["title"]),
        client.search.search_dashboards(tag=model["tags"]),
        client.search.search_dashboards(folder_uids=[meta["folderUid"]], type_="dash-db"),
        client.search.search_dashboards(dashboard_uids=[uid]),
    ):
        assert uid in [hit["uid"] for hit in narrowed]
    assert client.search.search_dashboards(query="no dashboard is called so") == []
    assert client.search.search_dashboards(tag=["no-such-tag"]) == []


def test_an_unknown_dashboard_is_not_found(client: GrafanaApi) -> None:
    with pytest.raises(GrafanaClientError) as missing:
        client.dashboard.get_dashboard("no-such-dashboard")
    assert missing.value.status_code == 404
    assert missing.value.response["message"] == "Dashboard not found"


def test_a_provisioned_dashboard_cannot_be_saved(client: GrafanaApi) -> None:
    model = first_dashboard(client)["dashboard"]
    with pytest.raises(GrafanaBadInputError) as refused:
        client.dashboard.update_dashboard({"dashboard": {**model, "title": "Changed"}, "overwrite": True})
    assert refused.value.response["message"] == "Cannot save provisioned dashboard"
    assert first_dashboard(client)["dashboard"]["title"] == model["title"]


def test_a_provisioned_dashboard_cannot_be_deleted(client: GrafanaApi) -> None:
    uid = first_dashboard(client)["dashboard"]["uid"]
    with pytest.raises(GrafanaBadInputError) as refused:
        client.dashboard.delete_dashboard(uid)
    assert refused.value.response["message"] == "provisioned dashboard cannot be deleted"
    assert client.dashboard.get_dashboard(uid)["dashboard"]["uid"] == uid


def test_a_provisioned_data_source_cannot_be_changed(client: GrafanaApi) -> None:
    source = client.datasource.get_datasource_by_uid("prometheus")
    with pytest.raises(GrafanaClientError) as refused:
        client.datasource.update_datasource_by_uid("prometheus", {**source, "url": "http://127.0.0.1:1"})
    assert refused.value.status_code == 403
    assert refused.value.response["message"] == "Cannot update read-only data source"
    assert client.datasource.get_datasource_by_uid("prometheus")["url"] == source["url"]


def test_metrics_need_no_login(grafana: Double) -> None:
    answer = requests.get(f"{grafana.url}/metrics", timeout=10)
    assert answer.status_code == 200
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line and line[0] != "#")
    assert any(name.startswith("grafana_build_info{") for name in lines)
    assert float(lines["process_resident_memory_bytes"]) > 2**20
    assert float(lines["process_start_time_seconds"]) > 1.7e9
    counted = next(name for name in lines if name.startswith("grafana_http_request_duration_seconds_count{"))
    assert sorted(re.findall(r'(\w+)="', counted)) == RECORDED["metric labels"]
    assert {"process_cpu_seconds_total", "grafana_stat_totals_dashboard"} <= set(lines)


def test_dashboards_refer_to_data_sources_that_exist(client: GrafanaApi) -> None:
    known = {source["uid"] for source in client.datasource.list_datasources()}
    for hit in client.search.search_dashboards(type_="dash-db"):
        model = client.dashboard.get_dashboard(hit["uid"])["dashboard"]
        used = {panel["datasource"]["uid"] for panel in model["panels"] if panel.get("datasource")}
        assert used <= known
