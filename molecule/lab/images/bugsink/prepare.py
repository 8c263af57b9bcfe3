# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a new Bugsink holds. All is fixed, so that a laboratory can be declared before it runs."""

import json
import uuid
from pathlib import Path

import django

django.setup()

from bsmain.models import AuthToken  # noqa: E402
from projects.models import Project  # noqa: E402
from teams.models import Team  # noqa: E402
from users.models import User  # noqa: E402

FIXED = json.loads(Path("fixed.json").read_text())

team = Team.objects.create(name="laboratory")
Project.objects.create(team=team, name="shop", slug="shop", sentry_key=uuid.UUID(FIXED["key"]))
token = AuthToken.create_full_access()
token.token = FIXED["token"]
token.save()
User.objects.create_superuser(FIXED["user"], password=FIXED["password"])
