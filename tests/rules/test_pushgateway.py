"""A batch job that pushes by the one-liner of the documentation, and what Prometheus then knows of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from contexts import context_of
from exporters import watched
from programs import free_port, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY


def test_what_a_job_pushes_is_read_as_its_own_and_its_silence_is_told(tmp_path: Path) -> None:
    port = free_port()
    declared = {"scrape_interval": "1s", "ports": {"pushgateway": port}, "pushgateway": {"nightly-import": "2s"}}
    context = context_of(declared, registry=REGISTRY, total_mib=8000)
    shown = str(Declaration.model_fields["pushgateway"].description)
    line = shown.partition("last step: ")[2].replace("127.0.0.1:9091", f"127.0.0.1:{port}")
    assert line.startswith('echo "rows_imported 12" | curl ')
    with watched(context, "pushgateway", tmp_path) as ask:
        subprocess.run(["sh", "-c", line], check=True)
        until(lambda: ask('rows_imported{job="nightly-import", environment="production"}') == {("web1",): 12}, 30)
        until(lambda: ask('ALERTS{alertname="PushSilent", push_job="nightly-import"}'), 30)
        subprocess.run(["sh", "-c", line], check=True)
        until(lambda: not ask('ALERTS{alertname="PushSilent"}'), 30)
        refused = line.replace("rows_imported 12", "rows imported")
        assert subprocess.run(["sh", "-c", refused], capture_output=True, check=False).returncode != 0
        used = max(ask('process_resident_memory_bytes{job="pushgateway"}').values())
    assert used < REGISTRY["pushgateway"].need_mib * 1024 * 1024


def test_without_a_declaration_there_is_none() -> None:
    assert "pushgateway" not in context_of({}, registry=REGISTRY, total_mib=8000).services
