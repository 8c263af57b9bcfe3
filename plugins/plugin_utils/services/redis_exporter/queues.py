# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The length of Celery queues: the script that Redis runs at each scrape, and the rules that know its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import recorded

# Celery keeps tasks of each priority in a list of its own: the queue's name, then for three of the four steps these two
# bytes and the step. https://docs.celeryq.dev/en/stable/userguide/routing.html#redis-message-priorities
_PRIORITIES = ("", *(rf"\006\022{step}" for step in (3, 6, 9)))


def queue_script(queues: Sequence[str]) -> str:
    """Lua that returns name and length of each queue in turn; exported as redis_script_values{key=NAME}.

    An empty list has no key in Redis, and its length is 0. The exporter's own check of keys leaves such a queue out,
    and up to version 1.72 all that follow it: https://github.com/oliver006/redis_exporter/issues/1008
    """
    names, parts = (", ".join(f"'{word}'" for word in words) for words in (queues, _PRIORITIES))
    return f"""local lengths = {{}}
for _, queue in ipairs({{{names}}}) do
  local length = 0
  for _, part in ipairs({{{parts}}}) do
    length = length + redis.call('LLEN', queue .. part)
  end
  table.insert(lengths, queue)
  table.insert(lengths, tostring(length))
end
return lengths
"""


def queue_limits(context: Context) -> dict[str, Any]:
    """A rule group that records, for each app with queues, above which length an alert fires."""
    rules = [
        recorded(
            "app:queue:limit",
            f"vector({app.thresholds.queue_length})",
            app=app.name,
            host=context.plan.host_of(app),
            environment=context.declaration.environment,
        )
        for app in context.declaration.apps
        if app.redis and app.redis.queues
    ]
    return {"name": "redis_queue_limits", "rules": rules}
