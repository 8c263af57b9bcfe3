# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase's API as one person uses it, for the scenarios' tests."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import requests


class Metabase:
    """One login. `status` is the answer to it; without a login every other method fails."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url, self.headers = f"{url}/api/", {}
        answer = self.ask("POST", "session", {"username": email, "password": password})
        self.status = answer.status_code
        if self.status == 200:
            self.headers = {"X-Metabase-Session": answer.json()["id"]}

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to one request, whatever its status."""
        return requests.request(method, self.url + path, json=body, headers=self.headers, timeout=60)

    def get(self, path: str) -> Any:
        """JSON of a page of the API."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, **body: Any) -> None:
        """Change an object."""
        answer = self.ask("PUT", path, body)
        assert answer.status_code in (200, 202, 204), answer.text

    def post(self, path: str, **body: Any) -> Any:
        """Make an object, or ask a query; JSON of the answer."""
        answer = self.ask("POST", path, body)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def cards(self) -> dict[str, dict[str, Any]]:
        """{name: question} of those that are not archived."""
        return {card["name"]: card for card in self.get("card")}

    def dashboard(self) -> dict[str, Any]:
        """The dashboard Business with its cards; of several apps that of the first one."""
        found = min((board for board in self.get("dashboard") if board["name"] == "Business"), key=itemgetter("id"))
        return dict(self.get(f"dashboard/{found['id']}"))

    def place(self, name: str) -> tuple[int, int]:
        """(question, its card on the dashboard Business)."""
        (found,) = [card for card in self.dashboard()["dashcards"] if card["card"]["name"] == name]
        return found["card_id"], found["id"]

    def rows(self, card: int, dashcard: int, **filters: Any) -> list[list[Any]]:
        """What a card of the dashboard Business shows with these filters."""
        board = self.dashboard()
        known = {parameter["slug"]: parameter for parameter in board["parameters"]}
        (on_board,) = [found for found in board["dashcards"] if found["id"] == dashcard]
        mapped = {mapping["parameter_id"]: mapping["target"] for mapping in on_board["parameter_mappings"]}
        parameters = [
            {"id": known[name]["id"], "value": value, "target": mapped[known[name]["id"]], "type": known[name]["type"]}
            for name, value in filters.items()
        ]
        path = f"dashboard/{board['id']}/dashcard/{dashcard}/card/{card}/query"
        answer = self.post(path, parameters=parameters)
        assert answer["status"] == "completed", answer.get("error")
        return list(answer["data"]["rows"])
