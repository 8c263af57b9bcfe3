# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The team, the project and the token of a new Bugsink: fixed, so that a laboratory is declared before it runs."""

import uuid

import django

django.setup()

from bsmain.models import AuthToken  # noqa: E402
from projects.models import Project  # noqa: E402
from teams.models import Team  # noqa: E402
from users.models import User  # noqa: E402

# As molecule/lab/bugsink.py has them (a test compares the two).
KEY = uuid.UUID("0a0b0c0d0e0f40008000000000000001")
TOKEN = "0a0b0c0d0e0f" + "0" * 28

team = Team.objects.create(name="laboratory")
Project.objects.create(team=team, name="shop", slug="shop", sentry_key=KEY)
token = AuthToken.create_full_access()
token.token = TOKEN
token.save()
User.objects.create_superuser("admin", password="laboratory")
