"""Fault injection: rules that select calls and make them slow or make them fail.

    {"match":  {"object": "coupon", "method": "POST", "params": {"metadata[demo]": "reset"},
                "idempotency_key": "k", "operation": "create_coupon",
                "lists": true},             every part is optional
     "action": {"kind": "status", "when": "after", "status": 500},
     "times":  2,                               applies twice; without it, always
     "probability": 0.1}                        share of the matching calls, drawn from the twin's seed

kind        effect at the client                                        parameters
latency     the answer takes this long                                  latency_ms: 500 | {"p50", "p99"}
status      an error answer with this status                            status, code, reason, should_retry,
                                                                        decline_code (402)
reset       the connection is reset, without an answer
cut_off     half an answer
not_json    a gateway's error page instead of JSON
hang        no answer until the client gives up
lost_answer a reset after the execution

object      the object of the operation, or of a read. `account` stands for `GET /v1/account` and for accounts,
            which no other rule matches.
idempotency_key  the key of a POST, or a pattern such as `pdr_*`
operation   a name of the table of operations, such as `capture_payment_intent`
lists       whether the call must be a read of a list

when        before (the default)  the call is not executed, and no answer is saved under its key
            during                the execution fails, and a 500 or the action's status is saved under its key
            after                 the call is executed, and its answer is saved under its key
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import PaydispatchError
from paydispatch.twin.wire.errors import (
    StripeError,
    api_error,
    card_error,
    invalid_request,
    lock_timeout,
    rate_limited,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("latency", "status", "reset", "cut_off", "not_json", "hang", "lost_answer")
_MATCHED = ("object", "method", "idempotency_key", "operation", "lists")
_ACTION = ("kind", "when", "status", "code", "reason", "latency_ms", "should_retry", "decline_code")
WHENS = ("before", "during", "after")
NEVER_KEPT = (401, 403, 409, 429)
"""Statuses that Stripe answers before its idempotency layer, so that they never follow an execution."""

_Z_99 = 2.3263
"""The 99th percentile of a normal distribution, in standard deviations."""


class RuleError(PaydispatchError):
    """An invalid fault rule. The message names the field and the values it takes."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency in milliseconds: constant, or log-normal with a median and a 99th percentile."""

    p50_ms: float = 0.0
    p99_ms: float | None = None

    @classmethod
    def parse(cls, value: Any) -> Latency:
        """Read `500` or `{"p50": 300, "p99": 2000}`. Raises `RuleError`."""
        if _is_number(value) and value >= 0:
            return cls(value)
        if isinstance(value, dict) and value.keys() == {"p50", "p99"}:
            p50, p99 = value["p50"], value["p99"]
            if _is_number(p50) and _is_number(p99) and 0 < p50 <= p99:
                return cls(p50, p99)
        raise RuleError(
            'latency_ms must be a number of milliseconds, or {"p50": 300, "p99": 2000}.'
        )

    def roll_ms(self, dice: random.Random) -> float:
        if self.p99_ms is None:
            return self.p50_ms
        spread = math.log(self.p99_ms / self.p50_ms) / _Z_99
        return dice.lognormvariate(math.log(self.p50_ms), spread)

    def as_json(self) -> Any:
        return self.p50_ms if self.p99_ms is None else {"p50": self.p50_ms, "p99": self.p99_ms}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Action:
    """The effect of a rule. `lost_answer` is parsed into a `reset` with `when="after"`."""

    kind: str
    when: str = "before"
    status: int = 500
    code: str | None = None
    reason: str | None = None
    latency: Latency = Latency()
    should_retry: bool | None = None
    decline_code: str | None = None

    def error(self) -> StripeError:
        """Return the error that a `status` action answers with."""
        error = self._plain_error()
        if self.should_retry is not None:
            error.headers["Stripe-Should-Retry"] = str(self.should_retry).lower()
        return error

    def _plain_error(self) -> StripeError:
        if self.code == "lock_timeout":
            return lock_timeout()
        if self.status == 429:
            return rate_limited(self.reason)
        if self.status >= 500:
            return api_error(self.status)
        if self.status == 402:
            return card_error(self._decline())
        return invalid_request("The request was refused.", code=self.code, status=self.status)

    def _decline(self) -> dict[str, str]:
        return {
            "code": self.code or "card_declined",
            "decline_code": self.decline_code or "generic_decline",
            "message": "Your card was declined.",
        }


@dataclass(frozen=True, slots=True)
class Match:
    """The calls that a rule selects. A field that is None matches every call."""

    object: str | None = None
    method: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    """Form pairs by their encoded names, such as `metadata[demo]`."""

    idempotency_key: str | None = None
    operation: str | None = None
    lists: bool | None = None

    def covers(self, facts: Facts) -> bool:
        # A caller requests the account before its first call with a key. Without this exception, a rule with
        # `times: 1` would be used up by that request.
        objects = (facts.object,) if facts.object == "account" else (None, facts.object)
        return (
            self.object in objects
            and self.method in (None, facts.method)
            and self._has_key(facts.idempotency_key)
            and self.operation in (None, facts.operation)
            and self.lists in (None, facts.is_list)
            and self.params.items() <= facts.params.items()
        )

    def _has_key(self, key: str | None) -> bool:
        if self.idempotency_key in (None, key):
            return True
        return key is not None and fnmatchcase(key, str(self.idempotency_key))


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a call that a rule is matched against."""

    object: str
    method: str
    params: Mapping[str, str]
    idempotency_key: str | None
    operation: str | None = None
    is_list: bool = False


@dataclass(slots=True)
class Rule:
    """One rule, with the number of times it still applies and its own random generator."""

    id: str
    match: Match
    action: Action
    left: int | None
    probability: float
    dice: random.Random
    source: Mapping[str, Any]

    @classmethod
    def parse(cls, source: Any, rule_id: str, seed: int | None) -> Rule:
        """Read a rule from JSON. Raises `RuleError`."""
        _only(source, ("match", "action", "times", "probability"), "A rule")
        times, probability = source.get("times"), source.get("probability", 1.0)
        if times is not None and (not isinstance(times, int) or times < 1):
            raise RuleError("times must be a whole number of at least 1.")
        if not _is_number(probability) or not 0 <= probability <= 1:
            raise RuleError("probability must be a number from 0 to 1.")
        dice = random.Random(None if seed is None else f"{seed} {rule_id}")
        match, action = _match(source.get("match", {})), _action(source.get("action"))
        return cls(rule_id, match, action, times, probability, dice, source)

    def strikes(self, facts: Facts) -> bool:
        """Return whether the rule applies to this call, and count it if so.

        Draws a random number only for a matching call, so that other calls do not change the sequence.
        """
        if self.left == 0 or not self.match.covers(facts):
            return False
        if self.probability < 1 and self.dice.random() >= self.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def as_json(self) -> dict[str, Any]:
        return {**self.source, "id": self.id, "left": self.left}


def _match(source: Any) -> Match:
    _only(source, (*_MATCHED, "params"), "match")
    params = source.get("params", {})
    if not isinstance(params, dict):
        raise RuleError('params must be an object of form pairs: {"metadata[demo]": "reset"}.')
    if source.get("lists") not in (None, True, False):
        raise RuleError("lists must be true or false.")
    wanted = {name: _as_sent(value) for name, value in params.items()}
    method = source.get("method")
    return Match(
        source.get("object"),
        method and str(method).upper(),
        wanted,
        source.get("idempotency_key"),
        source.get("operation"),
        source.get("lists"),
    )


def _as_sent(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _action(source: Any) -> Action:
    _only(source, _ACTION, "action")
    kind = _one_of("kind", source.get("kind"), KINDS)
    status = source.get("status", 429 if source.get("code") == "lock_timeout" else 500)
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise RuleError("status must be an HTTP status from 400 to 599.")
    when = _one_of("when", source.get("when", "before"), WHENS)
    if kind == "lost_answer":
        kind, when = "reset", "after"
    if kind == "status" and status in NEVER_KEPT:
        when = "before"
    if kind == "latency":
        when = "never"
    return Action(
        kind,
        when,
        status,
        source.get("code"),
        source.get("reason"),
        Latency.parse(source.get("latency_ms", 0)),
        source.get("should_retry"),
        source.get("decline_code"),
    )


def _only(source: Any, known: tuple[str, ...], part: str) -> None:
    if not isinstance(source, dict):
        raise RuleError(f"{part} must be an object with {', '.join(known)}.")
    unknown = source.keys() - set(known)
    if unknown:
        raise RuleError(
            f"{part} has unknown fields: {', '.join(sorted(unknown))}. It takes {', '.join(known)}."
        )


def _one_of(name: str, value: Any, options: tuple[str, ...]) -> str:
    if value not in options:
        raise RuleError(f"{name} must be one of {', '.join(options)}.")
    return str(value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The delay of one call, and at most one fault for it."""

    delay_ms: float = 0.0
    rule_id: str | None = None
    action: Action | None = None

    @property
    def kind(self) -> str | None:
        return None if self.action is None else self.action.kind

    def raise_if(self, *moments: str) -> None:
        """Raise the `StripeError` of this call's fault if the fault belongs to one of `moments`.

        A transport fault (reset, cut_off …) before or during the execution raises a 500, so that no object is created.
        After the execution it raises nothing, because the answer stays as it is and only its transport fails.
        """
        if self.action is None or self.action.when not in moments:
            return
        if self.action.kind == "status":
            raise self.action.error()
        if self.action.when != "after":
            raise api_error(500)


class Faults:
    """The rules in the order in which they were added.

    At most two apply to a call: the first matching latency rule and the first matching rule of another kind.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._dice = random.Random(seed)
        self._rules: dict[str, Rule] = {}
        self._made = 0
        self.latency = Latency()

    def add(self, source: Any) -> Rule:
        """Add a rule from JSON. Raises `RuleError`."""
        rule = Rule.parse(source, f"fault_{self._made + 1}", self._seed)
        self._made += 1
        self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: str) -> bool:
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        self._rules.clear()

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def decide(self, facts: Facts) -> Verdict:
        """Return the delay and the fault of a call, and count the rules that apply."""
        slow = self._first(facts, latency=True)
        fault = self._first(facts, latency=False)
        delay_ms = (
            self.latency.roll_ms(self._dice)
            if slow is None
            else slow.action.latency.roll_ms(slow.dice)
        )
        struck = fault or slow
        return Verdict(delay_ms) if struck is None else Verdict(delay_ms, struck.id, struck.action)

    def _first(self, facts: Facts, *, latency: bool) -> Rule | None:
        rules = (
            rule for rule in self._rules.values() if (rule.action.kind == "latency") is latency
        )
        return next((rule for rule in rules if rule.strikes(facts)), None)
