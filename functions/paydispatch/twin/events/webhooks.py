"""The webhooks that receive events, as they are registered at the twin."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from paydispatch.twin.events.delivery_faults import DeliveryFaults
from paydispatch.twin.faults import RuleError

if TYPE_CHECKING:
    from paydispatch.twin.events.event import Event

_FIELDS = {"url", "secret", "account", "livemode", "types"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One URL that receives events, and the secret that signs them."""

    id: str
    url: str
    secret: str = field(repr=False)
    account: str | None = None
    """The account whose events it receives. None: every account, as no webhook of Stripe can."""

    livemode: bool | None = None
    types: tuple[str, ...] = ("*",)

    @classmethod
    def parse(cls, source: Any, webhook_id: str) -> Webhook:
        """Read a webhook from JSON. Raises `RuleError`."""
        if not isinstance(source, dict) or source.keys() - _FIELDS:
            raise RuleError(f"A webhook must be an object with {', '.join(sorted(_FIELDS))}.")
        url, secret, types = source.get("url"), source.get("secret"), source.get("types", ["*"])
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise RuleError("url must be an address that begins with http:// or https://.")
        if not isinstance(secret, str) or not secret:
            raise RuleError("secret must be a text. It signs each event.")
        if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
            raise RuleError('types must be a list of types of events, such as ["invoice.*"].')
        account, livemode = source.get("account"), source.get("livemode")
        return cls(webhook_id, url, secret, account, livemode, tuple(types))

    def wants(self, event: Event) -> bool:
        return (
            self.account in (None, event.account.id)
            and self.livemode in (None, event.account.livemode)
            and any(fnmatchcase(event.type, each) for each in self.types)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the webhook without its secret."""
        names = ("id", "url", "account", "livemode", "types")
        return {name: getattr(self, name) for name in names}


class Webhooks:
    """All webhooks of a twin, the faults on the way to them, and the counts of their deliveries."""

    def __init__(self, seed: int | None = None) -> None:
        self._webhooks: dict[str, Webhook] = {}
        self._made = 0
        self.faults = DeliveryFaults(seed)
        self.counts: Counter[str] = Counter()
        """`delivered`, `retried`, `given_up`, and `dropped` because too many waited."""

        self.waiting = 0
        """The deliveries that have not ended yet."""

    def add(self, source: Any) -> Webhook:
        """Register a webhook from JSON. Raises `RuleError`."""
        webhook = Webhook.parse(source, f"we_{self._made + 1}")
        self._made += 1
        self._webhooks[webhook.id] = webhook
        return webhook

    def remove(self, webhook_id: str) -> bool:
        return self._webhooks.pop(webhook_id, None) is not None

    def clear(self) -> None:
        self._webhooks.clear()

    def all(self) -> list[Webhook]:
        return list(self._webhooks.values())

    def for_event(self, event: Event) -> list[Webhook]:
        return [webhook for webhook in self._webhooks.values() if webhook.wants(event)]
