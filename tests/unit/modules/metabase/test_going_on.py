# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""metabase after a run that broke off, and with other passwords and keys."""

from __future__ import annotations

import copy
import json
import stat

import pytest
from metabase_in_process import Double, Shop
from metabase_module import DECLARED, PASSWORD, Runner, changed, settled

# What there is after a run, with what Metabase itself has: two groups, the account of the key and the trash.
COUNTS = {
    **{"group": 3, "user": 3, "database": 1, "collection": 3},
    **{"card": 2, "dashboard": 1, "pulse": 1, "api_key": 1},
}


def counts(metabase: Double) -> dict[str, int]:
    return {kind: sum(row.get("is_active", True) for row in metabase.store.all(kind)) for kind in COUNTS}


def log_in(metabase: Double, email: str = "admin@example.com", password: str = PASSWORD) -> None:
    assert metabase.ask("POST", "session", {"username": email, "password": password})["id"]


def test_a_lost_key_file_makes_a_new_key_and_no_copies(ready: Double, run: Runner) -> None:
    run.file.unlink()
    lines = run()["changes"]
    assert lines == [
        f"create API key crowsnest in {run.file}",
        "change settings: email-smtp-password",
        "change database Shop: password",
    ]
    assert len(ready.store.all("api_key")) == 1
    settled(run, ready)


def test_a_key_that_metabase_refuses_is_replaced(ready: Double, run: Runner) -> None:
    ready.delete("api-key", "crowsnest")
    assert run()["changes"] == [f"create API key crowsnest in {run.file}"]
    settled(run, ready)


def test_rights_of_the_key_file_are_put_right(ready: Double, run: Runner) -> None:
    run.file.chmod(0o644)
    assert run()["changes"] == [f"change API key crowsnest: rights of {run.file}"]
    assert stat.S_IMODE(run.file.stat().st_mode) == 0o600
    settled(run, ready)


def test_the_first_account_gets_another_address_and_keeps_its_login(ready: Double, run: Runner) -> None:
    declared = copy.deepcopy(DECLARED)
    declared["admin"]["email"] = "ops@example.com"
    assert run(declared, check=True)["changes"] == ["change account ops@example.com: e-mail"]
    assert run(declared)["changes"] == ["change account ops@example.com: e-mail"]
    log_in(ready, "ops@example.com")
    assert not run(declared)["changed"]
    assert run()["changes"] == ["change account admin@example.com: e-mail"]


def test_new_passwords_are_set(ready: Double, run: Runner, shop: Shop) -> None:
    ready.edit("database", "Shop", details={"ssl": True, "ssl-mode": "prefer"})  # as it finds out itself
    shop("ALTER ROLE crowsnest_ro PASSWORD 'another-Secret-5'")
    declared = changed()
    declared["admin"]["password"], declared["databases"][0]["password"] = "another-Secret-4", "another-Secret-5"
    result = run(declared)
    assert result["changes"] == ["change account admin@example.com: password", "change database Shop: password"]
    log_in(ready, password="another-Secret-4")
    assert ready.ask("POST", "database/1/sync_schema") == {"status": "ok"}
    assert ready.ask("GET", "database/1")["details"]["ssl"] is True
    assert "(secret, changed)" in result["diff"]["after"] and "another-Secret" not in run.output
    settled(run, ready, declared)


def test_half_made_collections_and_dashboards_are_found_again(metabase: Double, run: Runner) -> None:
    metabase.faults.dies_at = "PUT /api/dashboard/N"
    result = run()
    metabase.mend()
    assert "lost after: create question Orders" in result["msg"]
    content = json.loads(run.file.read_text())
    run.file.write_text(json.dumps({**content, "objects": {}}))  # the run was killed before it could note them
    assert run()["changes"] == [
        "change dashboard The shop: description, width, mark, filters, cards",
        "create subscription Shop weekly",
    ]
    assert counts(metabase)["dashboard"] == 1 and counts(metabase)["collection"] == COUNTS["collection"]
    settled(run, metabase)


@pytest.mark.parametrize("where", ["POST /api/collection", "POST /api/card", "PUT /api/setting", "POST /api/database"])
def test_the_next_run_goes_on_after_a_lost_connection(metabase: Double, run: Runner, where: str) -> None:
    metabase.faults.dies_at = where
    result = run()
    metabase.mend()
    assert result["failed"] and "was lost after: create" in result["msg"] and "run it again" in result["msg"]
    rest = run()["changes"]
    assert rest == run.first[-len(rest) :]
    settled(run, metabase)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_whenever_the_connection_breaks_the_next_run_repairs_it(metabase: Double, run: Runner, lost: str) -> None:
    run()
    count = len(metabase.writes)
    assert count > 12
    for number in range(1, count + 1):
        run.file.unlink(missing_ok=True)
        metabase.fresh()
        metabase.faults.lost = {number: lost}
        assert "was lost" in run()["msg"], number
        metabase.mend()
        assert run()["changed"] or (number, lost) == (count, "answer")
        assert counts(metabase) == COUNTS
        settled(run, metabase)


def test_the_key_is_written_before_anything_else(metabase: Double, run: Runner) -> None:
    metabase.faults.dies_at = "GET /api/setting"
    assert "was lost after: create API key" in run()["msg"]
    assert run.key.startswith("mb_")
    metabase.requests.clear()
    metabase.mend()
    run()
    assert "POST /api/session" not in metabase.requests
