"""The commands of the limiter's scripts, and their answers as the domain's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.tokens import Granted, Postponed, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from paydispatch.domain.rates.lanes import LaneRule
    from paydispatch.domain.rates.limits import DefaultLimits
    from paydispatch.domain.rates.tokens import TokenAnswer, TokenAsk

    NowS = Callable[[], float] | None
    """Tests give the time. In production it is None, because the scripts take the time of Redis."""

_LANES = list(RateLane)
_PLACES = {lane: place for place, lane in enumerate(_LANES, 1)}
_REASONS = {"r": Why.RATE, "c": Why.IN_FLIGHT, "p": Why.PAUSED, "o": Why.OUTAGE}

Group = tuple[str, RateLane, int, float]
"""Equal calls: operation, lane, weight and longest wait in seconds."""


def account_keys(account: str) -> list[str]:
    return [keys.rate(account), keys.rate_settings(account)]


def first_arguments(account: str, defaults: DefaultLimits, now_s: NowS) -> list[Any]:
    """Return the arguments that all scripts of an account share: the time and the default limits."""
    limits = defaults.of(account)
    return [
        time_argument(now_s),
        "off" if limits.account is None else limits.account,
        "off" if limits.operation is None else limits.operation,
    ]


def time_argument(now_s: NowS) -> str:
    return "" if now_s is None else f"{now_s():.6f}"


def rule_arguments(rules: Mapping[RateLane, LaneRule]) -> list[Any]:
    parts = [part for lane in _LANES for part in (rules[lane].share, rules[lane].longest_wait_s)]
    return [str(part).encode() for part in parts]  # redis-py passes bytes on as they are


def group_asks(
    asks: Sequence[TokenAsk], rules: Mapping[RateLane, LaneRule]
) -> dict[Group, list[int]]:
    """Return the places of equal asks. Waits count in whole milliseconds, so that more asks are equal."""
    groups: dict[Group, list[int]] = {}
    for place, ask in enumerate(asks):
        longest_s = rules[ask.lane].longest_wait_s
        if ask.longest_wait_s < longest_s:
            longest_s = max(0, int(ask.longest_wait_s * 1000)) / 1000
        group = (ask.operation, ask.lane, ask.weight, longest_s)
        groups.setdefault(group, []).append(place)
    return groups


def group_arguments(groups: Mapping[Group, Sequence[int]]) -> list[Any]:
    return [
        part
        for (operation, lane, weight, longest_s), places in groups.items()
        for part in (operation, _PLACES[lane], weight, longest_s, len(places))
    ]


def read_answers(
    text: str, asks: Sequence[TokenAsk], groups: Mapping[Group, Sequence[int]], prefix: str
) -> list[TokenAnswer]:
    """Return the answers of `take.lua` in the order of the asks."""
    head, *parts = text.split("|")
    epoch, watched = head.split(" ")
    answers: dict[int, TokenAnswer] = {}
    number = 0
    for places, part in zip(groups.values(), parts, strict=True):
        counted, *words = part.split(" ")
        for place, (wait_s, postponed) in zip(places, _read_words(words), strict=True):
            number += 1
            answers[place] = postponed or Granted(
                ask=asks[place],
                wait_s=wait_s,
                epoch=epoch,
                in_flight=f"{prefix}{number}" if counted == "1" else "",
                watched=watched == "1",
            )
    return [answers[place] for place in range(len(asks))]


def _read_words(words: Sequence[str]) -> Iterator[tuple[float, Postponed | None]]:
    """Yield for each call its wait, or its postponement."""
    for word in words:
        calls, sign, seconds = _split(word)
        postponed = None
        if sign != "*":
            postponed = Postponed(why=_REASONS[sign], delay_s=float(seconds))
        for _ in range(int(calls)):
            yield float(seconds), postponed


def _split(word: str) -> tuple[str, str, str]:
    """Split `12*0.5` into its number of calls, the sign and the seconds."""
    for sign in ("*", *_REASONS):
        calls, found, seconds = word.partition(sign)
        if found:
            return calls, sign, seconds
    raise ValueError(word)


def read_paused(fields: Sequence[str]) -> frozenset[RateLane]:
    """Return the lanes of pauses by their names, among which `all` stands for every lane."""
    if "all" in fields:
        return frozenset(RateLane)
    return frozenset(RateLane(name) for name in fields)
