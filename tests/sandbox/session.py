"""Make calls with one key against one base URL, and remove the created objects."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from tests.sandbox.calls import Call

CALLS_PER_SECOND = 20
"""Below the 25 calls a second that Stripe allows a sandbox."""

MAX_TRIES = 4
"""Tries of a call that is refused with a 429 or meets a broken connection."""

CLEAN_UPS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "product": ("POST", "/v1/products/{id}", {"active": False}),
    "price": ("POST", "/v1/prices/{id}", {"active": False}),
    "customer": ("DELETE", "/v1/customers/{id}", {}),
    "coupon": ("DELETE", "/v1/coupons/{id}", {}),
    "subscription": ("DELETE", "/v1/subscriptions/{id}", {}),
    "payment_intent": ("POST", "/v1/payment_intents/{id}/cancel", {}),
    "invoice": ("DELETE", "/v1/invoices/{id}", {}),
    "checkout.session": ("POST", "/v1/checkout/sessions/{id}/expire", {}),
    "payment_link": ("POST", "/v1/payment_links/{id}", {"active": False}),
}
"""{object: the call that removes one, or takes it out of use where Stripe deletes none}. A refund has none."""

FINAL = frozenset({"succeeded", "canceled"})
"""States of a payment that nothing can undo without another payment."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    replayed: bool


class MissingAnswer(Exception):
    """A call names the answer of an earlier call that was refused."""


@dataclass(slots=True)
class Pace:
    """Lets at most so many calls begin in a second."""

    per_second: float
    _next_s: float = 0.0

    def wait(self) -> None:
        now = time.monotonic()
        time.sleep(max(0.0, self._next_s - now))
        self._next_s = max(now, self._next_s) + 1 / self.per_second


@dataclass(slots=True)
class Session:
    """The calls of one run, their answers by name, and the objects that they created."""

    base: str
    secret: str = field(repr=False)
    run: str
    """Makes the idempotency keys of this run unique."""

    pace: Pace = field(default_factory=lambda: Pace(CALLS_PER_SECOND))
    _client: httpx.Client = field(init=False, repr=False)
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _created: dict[str, tuple[str, str]] = field(default_factory=dict)
    """{id: (object, status)}."""

    def __post_init__(self) -> None:
        headers = {"Stripe-Version": STRIPE_API_VERSION}
        self._client = httpx.Client(base_url=self.base, headers=headers, timeout=80)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def make(self, call: Call) -> Answer:
        """Make a call and return its answer.

        Raises `MissingAnswer`, and `httpx.TransportError` if there is no answer after all tries.
        """
        path, params = self._filled_path(call.path), self._filled(call.params)
        secret = call.secret or self.secret
        answer = self._send(call.method, path, params, call.key or call.name, secret)
        if answer.status == httpx.codes.OK:
            self._remember(call, answer.body)
        return answer

    def clean_up(self) -> list[str]:
        """Remove the created objects, the newest first. Return a line for each object that stays in use."""
        left = [self._remove(name, *rest) for name, rest in reversed(self._created.items())]
        return [line for line in left if line]

    def _remove(self, object_id: str, kind: str, status: str) -> str | None:
        if kind not in CLEAN_UPS or status in FINAL:
            return None
        method, path, params = CLEAN_UPS[kind]
        answer = self._send(method, path.format(id=object_id), params, object_id, self.secret)
        if answer.status in (httpx.codes.OK, httpx.codes.NOT_FOUND):
            return None
        error = answer.body.get("error", {})
        return f"{kind} {object_id}: {redact(str(error.get('message', answer.status)))}"

    def _remember(self, call: Call, body: dict[str, Any]) -> None:
        self._answers[call.name] = body
        known = body.get("id") in self._created
        if "id" in body and (known or call.creates):
            self._created[body["id"]] = (body["object"], str(body.get("status")))

    def _send(
        self, method: str, path: str, params: dict[str, Any], key: str, secret: str
    ) -> Answer:
        form = encode(params)
        if method == "POST":
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "Idempotency-Key": f"{self.run} {key}",
            }
            request = self._client.build_request(method, path, content=form, headers=headers)
        else:
            request = self._client.build_request(method, f"{path}?{form.decode()}")
        return _read(self._tried(request, secret))

    def _tried(self, request: httpx.Request, secret: str) -> httpx.Response:
        for attempt in range(1, MAX_TRIES + 1):
            self.pace.wait()
            last = attempt == MAX_TRIES
            try:
                response = self._client.send(request, auth=(secret, ""))
            except httpx.TransportError:
                if last:
                    raise
                continue
            if last or response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return response
            time.sleep(2**attempt)
        raise AssertionError("the last try returns or raises")

    def _filled_path(self, path: str) -> str:
        before, brace, rest = path.partition("{")
        name, _, after = rest.partition("}")
        return f"{before}{self._answer(name)['id']}{after}" if brace else path

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        return self._referred(value[1:]) if isinstance(value, str) and value[:1] == "@" else value

    def _referred(self, reference: str) -> str:
        name, _, attribute = reference.rpartition(".")
        whole = reference in self._answers or not name
        found = self._answer(reference)["id"] if whole else self._answer(name)[attribute]
        return str(found["id"] if isinstance(found, dict) else found)

    def _answer(self, name: str) -> dict[str, Any]:
        try:
            return self._answers[name]
        except KeyError:
            raise MissingAnswer(name) from None


def _read(response: httpx.Response) -> Answer:
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    return Answer(response.status_code, response.json(), replayed)
