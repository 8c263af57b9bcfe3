# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Grafana wants of grafana.com at its start, where that does not answer: in the laboratory nothing does.

pkg/services/pluginsintegration/{keyretriever/dynamic,plugininstaller} and pkg/setting/setting_plugins.go of
https://github.com/grafana/grafana.
"""

from __future__ import annotations

from collections.abc import Mapping

from double.settings import StartError, log

_BY_ITSELF = (
    "grafana-advisor-app",
    "grafana-exploretraces-app",
    "grafana-lokiexplore-app",
    "grafana-metricsdrilldown-app",
    "grafana-pyroscope-app",
)
_NO_ANSWER = "dial tcp: lookup grafana.com: no such host"


def ask_grafana_com(settings: Mapping[str, str]) -> None:
    """One line for each thing that does not come. StartError for a plugin that has to be there first."""
    if settings["plugins.public_key_retrieval_disabled"] != "true":
        words, url = "Error downloading plugin manifest keys", "https://grafana.com/api/plugins/ci/keys"
        log("plugin.signature.key_retriever", "error", words, error=f'Get "{url}": {_NO_ANSWER}')
    if settings["plugins.preinstall_disabled"] == "true":
        return
    if first := _names(settings["plugins.preinstall_sync"]):
        raise StartError(f"failed to install plugin {first[0]}: {_NO_ANSWER}")
    unwanted = _names(settings["plugins.disable_plugins"])
    for name in [*_BY_ITSELF, *_names(settings["plugins.preinstall"])]:
        if name.partition("@")[0] not in unwanted:
            log("plugin.backgroundinstaller", "error", "Failed to install plugin", pluginId=name, error=_NO_ANSWER)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]
