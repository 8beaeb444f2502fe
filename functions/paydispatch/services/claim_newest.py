"""Claim the newest request under each idempotency key, and begin the next one where the newest had no effect.

The slot of the first request under a key counts its repeats. The id of a repeat is derived from the first id and the
number. The steps, each one round trip for all requests:

1. Claim the first request under each key.
2. Where it was repeated, claim its newest repeat.
3. Where the newest request ended without an effect, count one more repeat.
4. Claim that repeat.

The next call makes up for a crash between two steps. It finds the count and claims the repeat with that number. The
repeat goes to the queue then, unless the queue is known to have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.ports import RequestStore


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest request under a key, after a claim on its slot."""

    first: Claim
    """The claim of the first request under the key."""
    number: int
    """The number of the repeat. 0: the newest request is the first one."""
    claim: Claim
    state: SlotState


def claim_newest(requests: RequestStore, firsts: Sequence[Claim]) -> Sequence[Newest]:
    """Claim the newest request under each key, in order. Raises `Unavailable`.

    If the state returned may still be repeated, the request ended during this call.
    """
    states = requests.claim(firsts) if firsts else []
    found: Sequence[Newest] = [
        Newest(first, 0, first, state) for first, state in zip(firsts, states, strict=True)
    ]
    repeated = {place: one.state.repeats for place, one in enumerate(found) if one.state.repeats}
    found = _claim_repeats(requests, found, repeated)
    return _claim_repeats(requests, found, _count_repeats(requests, found))


def _count_repeats(requests: RequestStore, found: Sequence[Newest]) -> Mapping[int, int]:
    """Begin a repeat of each request that ended without an effect. Return {place: number of the repeat}."""
    ended = {place: one for place, one in enumerate(found) if one.state.may_be_repeated}
    if not ended:
        return {}
    numbers = requests.count_repeats([(one.first, one.number) for one in ended.values()])
    counted = dict(zip(ended, numbers, strict=True))
    return {place: number for place, number in counted.items() if number != ended[place].number}


def _claim_repeats(
    requests: RequestStore, found: Sequence[Newest], numbers: Mapping[int, int]
) -> Sequence[Newest]:
    """Return `found` with the repeats that have these numbers, {place: number}, in their places."""
    repeats = {place: found[place].first.as_repeat(number) for place, number in numbers.items()}
    states = requests.claim(list(repeats.values())) if repeats else []
    claimed = {
        place: Newest(found[place].first, numbers[place], repeat, state)
        for (place, repeat), state in zip(repeats.items(), states, strict=True)
    }
    return [claimed.get(place, one) for place, one in enumerate(found)]
