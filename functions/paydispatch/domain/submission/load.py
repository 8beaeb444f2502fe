"""Compute how long the calls of a file take at the rate limits of their accounts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.accounts import mode_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from paydispatch.domain.credentials import Credential
    from paydispatch.domain.rates.limits import Limits
    from paydispatch.domain.requests import OperationRequest

LIVE, SANDBOX = "live", "sandbox"
UNKNOWN_MODE = None
"""The mode of a `secret_ref`, which only Secrets Manager can resolve."""


@dataclass(frozen=True, slots=True)
class _Calls:
    """The kind of calls that share both limits and a lane."""

    mode: str | None
    account: str
    operation: str
    lane: Lane


class Load:
    """The calls of a file, counted by account, operation and lane."""

    def __init__(self) -> None:
        self._calls: Counter[_Calls] = Counter()

    def add(self, request: OperationRequest) -> None:
        mode = _mode_of(request.credential)
        account = request.stripe_context or request.stripe_account or ""
        self._calls[_Calls(mode, account, request.operation.name, request.lane)] += 1

    @property
    def operations(self) -> Mapping[str, int]:
        """The number of requests of each operation, the most frequent first."""
        counts: Counter[str] = Counter()
        for calls, count in self._calls.items():
            counts[calls.operation] += count
        return dict(counts.most_common())

    def in_mode(self, mode: str) -> bool:
        """Return whether a call has this mode, or one that is not known."""
        return any(calls.mode in (mode, UNKNOWN_MODE) for calls in self._calls)

    def duration_s(self, mode: str, limits: Limits, batch_share: float) -> float:
        """Return the shortest time in seconds for the calls of a mode. A call of unknown mode counts in each.

        Accounts do not wait for each other, so the slowest one decides. Batch work may use `batch_share` of a limit.
        """
        return max(
            (_account_s(calls, limits, batch_share) for calls in self._by_account(mode)),
            default=0.0,
        )

    def _by_account(self, mode: str) -> Iterable[Mapping[_Calls, int]]:
        accounts: dict[str, dict[_Calls, int]] = defaultdict(dict)
        for calls, count in self._calls.items():
            if calls.mode in (mode, UNKNOWN_MODE):
                accounts[calls.account][calls] = count
        return accounts.values()


def _mode_of(credential: Credential) -> str | None:
    """Return the mode whose limits count. As in `DefaultLimits`, a key without a mode has those of a sandbox."""
    if not isinstance(credential, StripeKey):
        return UNKNOWN_MODE
    return LIVE if mode_of(credential) == "live" else SANDBOX


def _account_s(calls: Mapping[_Calls, int], limits: Limits, batch_share: float) -> float:
    return max(_times_s(calls, limits, batch_share))


def _times_s(calls: Mapping[_Calls, int], limits: Limits, batch_share: float) -> Iterator[float]:
    """Yield the time that each limit of the account needs alone."""
    yield _time_s(calls, limits.account, batch_share)
    for operation in {each.operation for each in calls}:
        own = {each: count for each, count in calls.items() if each.operation == operation}
        yield _time_s(own, limits.of(operation), batch_share)


def _time_s(calls: Mapping[_Calls, int], limit: int | None, batch_share: float) -> float:
    if limit is None:
        return 0.0
    in_batch = sum(count for each, count in calls.items() if each.lane is Lane.BATCH)
    return max(sum(calls.values()) / limit, in_batch / (limit * batch_share))
