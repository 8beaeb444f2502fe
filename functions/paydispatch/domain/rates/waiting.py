"""Why a deferred request waits, as its status keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.requests import Lane

_CLAUSES = {
    Why.RATE: "the rate limit has no room for lane {lane}",
    Why.IN_FLIGHT: "as many calls are in flight as Stripe allows",
    Why.PAUSED: "lane {lane} is paused, by itself or with all lanes",
    Why.OUTAGE: "the breaker of its account is open",
    Why.KEY_REFUSED: "the breaker of its key is open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    why: Why
    lane: Lane
    account: str | None = None
    """`AccountBinding.rate_account`. None: it was not known yet."""

    @property
    def clause(self) -> str:
        """The reason, to be read behind "because"."""
        return _CLAUSES[self.why].format(lane=self.lane.value)

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def read_waiting(text: str | None) -> Waiting | None:
    """Read what `as_text` wrote. None: the request waits for its next attempt, or a newer release wrote the text."""
    if not text:
        return None
    said = json.loads(text)
    return make_waiting(said.get("why"), said.get("lane"), said.get("account"))


def make_waiting(why: str | None, lane: str | None, account: str | None = None) -> Waiting | None:
    """Return what these words say. None: they say nothing that this release knows."""
    try:
        return Waiting(why=Why(why or ""), lane=Lane(lane or ""), account=account)
    except ValueError:
        return None
