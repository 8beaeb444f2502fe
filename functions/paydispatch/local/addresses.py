"""The addresses of a running local stack."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Self

from paydispatch.local.settings import local_aws


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URL of each part, and the id of the sealing key."""

    api: str
    aws_endpoint: str
    queue_url: str
    batch_queue_url: str
    dead_letter_queue_url: str
    look_queue_url: str
    exhausted_queue_url: str
    redis_url: str
    stripe_base: str
    sealing_key_id: str
    console: str | None = None

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Return the addresses in the first line that `paydispatch local --json` printed, or None if it is not one."""
        try:
            found = json.loads(text.partition("\n")[0])
            return cls(**{field.name: found[field.name] for field in fields(cls)})
        except (ValueError, TypeError, KeyError):
            return None

    def as_json(self) -> dict[str, str | None]:
        """Return the fields of the line that `paydispatch local --json` prints once every part answers."""
        return asdict(self)

    def variables(self) -> dict[str, str]:
        """Return the environment variables of a program or a worker that uses the stack."""
        return {
            "REQUEST_QUEUE_URL": self.queue_url,
            "BATCH_QUEUE_URL": self.batch_queue_url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_queue_url,
            "REDIS_URL": self.redis_url,
            "SEALING_KEY_ID": self.sealing_key_id,
            "STRIPE_API_BASE": self.stripe_base,
            "PAYDISPATCH_API_URL": self.api,
            **local_aws(self.aws_endpoint),
        }
