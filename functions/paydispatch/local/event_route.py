"""The way of the twin's events into the stack: a webhook of the twin, and the secret with which the API checks it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.local.settings import TENANT

if TYPE_CHECKING:
    from pathlib import Path

NAME = "local"
"""The name of the webhook in the path of the API."""

SECRET_ID = f"paydispatch/{TENANT}/webhook/{NAME}"
"""The name in Secrets Manager of the secret that signs the events."""


@dataclass(frozen=True, slots=True)
class EventRoute:
    """The URL at the API, the secret, and the file with both that the twin reads."""

    url: str
    secret: str = field(repr=False)
    file: Path

    @classmethod
    def open(cls, api: str, directory: Path) -> EventRoute:
        """Make a new secret, and write the file. Only the user who runs the stack can read it."""
        url = f"{api}/v1/stripe/events/{NAME}"
        route = cls(url, f"whsec_{secrets.token_urlsafe(24)}", directory / "webhooks.json")
        with os.fdopen(
            os.open(route.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
        ) as file:
            json.dump([{"url": route.url, "secret": route.secret}], file)
        return route
