"""The in-memory twin of the signing secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.web.stripe_signatures import SigningSecret


@dataclass
class MemoryWebhookSecrets:
    """A `WebhookSecrets`."""

    secrets: dict[tuple[str, str], Sequence[SigningSecret]] = field(default_factory=dict)
    """By tenant and name of the webhook."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    def find(self, tenant: str, name: str) -> Sequence[SigningSecret] | None:
        self.asked.append((tenant, name))
        if self.away:
            raise Unavailable("Secrets Manager is unavailable")
        return self.secrets.get((tenant, name))
