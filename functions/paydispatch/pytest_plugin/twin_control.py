"""Steer a Stripe twin from a test: the next answers, its clock, and the effects that it had."""

from __future__ import annotations

from typing import Any

import httpx

_KEY = "sk_test_paydispatch"
_TIMEOUT_S = 10.0


class TwinControl:
    """A running Stripe twin. `base_url` is the value for `STRIPE_API_BASE`.

    A fault holds for the next `times` calls of `operation`, or for the next POSTs if no operation is named.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def lose_next_answer(self, operation: str | None = None, *, times: int = 1) -> None:
        """Let Stripe execute the call, and let its answer be lost."""
        self.inject({"kind": "lost_answer"}, operation=operation, times=times)

    def decline_next(
        self,
        decline_code: str = "generic_decline",
        operation: str | None = None,
        *,
        code: str = "card_declined",
        times: int = 1,
    ) -> None:
        """Let Stripe decline the card of the call (402). It keeps this answer under the idempotency key."""
        card = {"status": 402, "code": code, "decline_code": decline_code}
        self.inject({"kind": "status", "when": "during", **card}, operation=operation, times=times)

    def refuse_next(
        self,
        operation: str | None = None,
        *,
        code: str | None = None,
        status: int = 400,
        times: int = 1,
    ) -> None:
        """Let Stripe refuse the call without an effect."""
        refusal = {"kind": "status", "status": status, "code": code}
        self.inject(refusal, operation=operation, times=times)

    def limit_next(self, operation: str | None = None, *, times: int = 1) -> None:
        """Let Stripe's rate limit refuse the call (429). It is tried again."""
        self.inject(
            {"kind": "status", "status": 429, "reason": "global-rate"},
            operation=operation,
            times=times,
        )

    def fail_next(self, operation: str | None = None, *, status: int = 500, times: int = 1) -> None:
        """Let Stripe fail before it executes the call. The client cannot tell, so the call is in doubt."""
        self.inject({"kind": "status", "status": status}, operation=operation, times=times)

    def slow_down(self, latency_ms: float) -> None:
        """Let every answer take this long."""
        self._call("PUT", "latency", {"latency_ms": latency_ms})

    def inject(
        self,
        action: dict[str, Any],
        *,
        operation: str | None = None,
        match: dict[str, Any] | None = None,
        times: int | None = 1,
    ) -> None:
        """Add a rule of `paydispatch/twin/faults.py`. `times=None`: until `reset`. Raises `ValueError`."""
        calls = match or ({"operation": operation} if operation else {"method": "POST"})
        known = {name: value for name, value in action.items() if value is not None}
        rule: dict[str, Any] = {"match": calls, "action": known}
        self._call("POST", "faults", rule if times is None else {**rule, "times": times})

    def effects(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return what Stripe executed, in order: `operation`, `object`, `id`, `params`, `metadata` … of each call."""
        found: list[dict[str, Any]] = self._call("GET", "ledger")["effects"]
        return [effect for effect in found if operation in (None, effect["operation"])]

    def attempts(self) -> list[dict[str, Any]]:
        """Return every POST and DELETE that arrived: `path`, `idempotency_key`, `status`, `fault` …"""
        arrived: list[dict[str, Any]] = self._call("GET", "attempts")["attempts"]
        return arrived

    def assert_effects(self, count: int, operation: str | None = None) -> None:
        """Raise `AssertionError` unless Stripe executed so many calls, of this operation or of all."""
        effects = self.effects(operation)
        if len(effects) != count:
            shown = "".join(f"\n  {each['operation']} {each['id']}" for each in effects)
            raise AssertionError(f"Expected {count} effects at Stripe, not {len(effects)}:{shown}")

    def put(self, object_name: str, *, key: str = _KEY, **fields: Any) -> dict[str, Any]:
        """Store an object as if it had always been there, in the account of `key`, and return it.

        `stripe_twin.put("customer", id="cus_1", key="sk_test_shop")`
        """
        made: dict[str, Any] = self._call("POST", "objects", {"object": object_name, **fields}, key)
        return made

    def advance(self, seconds: float) -> None:
        """Move Stripe's clock forward."""
        self._call("POST", "clock", {"advance_s": seconds})

    def reset(self) -> None:
        """Delete the objects, the effects, the idempotency keys and the faults."""
        self._call("POST", "reset")
        self.slow_down(0)

    def _call(self, method: str, name: str, body: Any = None, key: str = _KEY) -> Any:
        answer = httpx.request(
            method,
            f"{self.base_url}/_twin/{name}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_S,
            trust_env=False,  # a proxy of the environment does not reach this machine
        )
        if answer.is_error:
            raise ValueError(answer.text)
        return answer.json()
