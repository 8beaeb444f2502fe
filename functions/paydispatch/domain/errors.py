"""Every error this project raises on purpose, sorted by who must act.

PaydispatchError
├── BadRequest              the caller must change the request; `status` is the API's HTTP answer
│   ├── InvalidField          400  one field is missing or wrong
│   ├── UnknownObject         404  no such Stripe object in the table
│   ├── InvalidParams         422  Stripe's schema refuses the parameters; `errors` has them all
│   ├── TooLarge              413  over what one queue message may hold
│   ├── IdempotencyConflict   409  the key was used with another body
│   ├── IdempotencyKeyUsedUp  409  the key was tried too often without an effect
│   ├── RequestNotFound       404  no such request, or not yours
│   └── NotAuthenticated            401  no principal
├── Unavailable             nobody's fault: try again later; nothing was accepted
│   ├── MaybeAccepted         the answer was lost: it may have been accepted; repeat it under the same identity
│   ├── NotPermitted          AWS denies an access: somebody has to grant a permission
│   └── BufferFull            the Dispatcher's buffer; the queue is slower than the caller
├── NotDelivered            some receipts are not durable; `refused` and `unknown` say which, and what to do
├── NoDispatcher            `create_async` outside a running Dispatcher, or several run
├── OtherProcess            a receipt of the process that forked this one
├── BadSetting              the environment says what cannot be used
│   └── MissingSetting        or does not say what is needed
├── UnexpectedEvent         a Lambda function was given an event of another kind than it takes
├── CannotOpen              a sealed key that does not belong to this message, or no such secret
├── MissingFlow             no script of that name in the flows folder
└── ScriptFailed            a script raised, took too long, or is no script
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence


class PaydispatchError(Exception):
    """The root of the tree above. It may repeat what others wrote, but never a Stripe key in it."""

    def __init__(self, *said: object) -> None:
        super().__init__(*(redact(each) if isinstance(each, str) else each for each in said))


class BadRequest(PaydispatchError):
    """The caller must change the request. Speaks Stripe's language: `type`, `code`, `param`, `message`."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message: str = self.args[0]
        self.code = code
        self.param = None if param is None else redact(param)

    def as_dict(self) -> dict[str, Any]:
        """The `error` object of Stripe's own shape."""
        shown = {"type": self.type, "code": self.code, "param": self.param, "message": self.message}
        return {name: value for name, value in shown.items() if value is not None}


class InvalidField(BadRequest):
    """One field of the request itself (not of Stripe's parameters) is missing or wrong."""

    def __init__(self, param: str | None, message: str, *, code: str = "parameter_invalid") -> None:
        super().__init__(message, code=code, param=param)


class UnknownObject(BadRequest):
    status = 404

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(
            f"Unknown object {name[:64]!r}. Known are: {', '.join(known)}.",
            code="unknown_object",
            param="object",
        )


@dataclass(frozen=True, slots=True)
class ParamError:
    """One parameter Stripe would refuse."""

    param: str
    """Stripe's bracket path: `items[0][price]`."""

    code: str
    """Stripe's code: `parameter_unknown`, `parameter_missing`, `parameter_invalid_integer` …"""

    message: str
    """A sentence that says what would be right."""

    def __post_init__(self) -> None:
        """What a caller wrote may stand in both texts."""
        object.__setattr__(self, "param", redact(self.param))
        object.__setattr__(self, "message", redact(self.message))

    def as_dict(self) -> dict[str, Any]:
        return {
            "type": InvalidParams.type,
            "code": self.code,
            "param": self.param,
            "message": self.message,
        }


class InvalidParams(BadRequest):
    """Parameters that Stripe's own schema refuses: all of them at once, the first as the headline."""

    status = 422

    def __init__(self, errors: Sequence[ParamError]) -> None:
        first = errors[0]
        super().__init__(first.message, code=first.code, param=first.param)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return " ".join(error.message for error in self.errors)


class TooLarge(BadRequest):
    status = 413

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"The request is {size_bytes} bytes as a queue message; at most {limit_bytes} fit.",
            code="request_too_large",
        )


class IdempotencyConflict(BadRequest):
    status = 409
    type = "idempotency_error"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was first used with another body. "
            "Send the same body again, or use a new key.",
            code="idempotency_key_reused",
        )


class IdempotencyKeyUsedUp(BadRequest):
    status = 409
    type = "idempotency_error"

    def __init__(self, key: str, tries: int) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was tried {tries} times, and nothing was created. "
            "Use a new key.",
            code="idempotency_key_used_up",
        )


class RequestNotFound(BadRequest):
    status = 404

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"No request {request_id[:64]!r}.", code="resource_missing", param="request_id"
        )


class NotAuthenticated(BadRequest):
    status = 401

    def __init__(self, message: str = "Sign in: this call needs a principal.") -> None:
        super().__init__(message, code="not_signed_in")


class Unavailable(PaydispatchError):
    """Nothing was accepted; the same call may be made again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MaybeAccepted(Unavailable):
    """The answer was lost, so the request may have been accepted. Repeat it under the same identity only."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: int = 1,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        """The same body under this key is the same request."""


class NotPermitted(Unavailable):
    """AWS denies this program an access. It works again once somebody grants the permission."""


class BufferFull(Unavailable):
    def __init__(self, size: int) -> None:
        super().__init__(
            f"The Dispatcher already holds {size} requests the queue has not taken yet. "
            "Wait for some receipts, or start it with a larger buffer_size.",
        )


class NoDispatcher(PaydispatchError):
    """No Dispatcher takes the request. With `running` above one, the caller has to say which it means."""

    def __init__(self, *, running: int = 0) -> None:
        found = (
            f"{running} Dispatchers run in this process, and none of them in a block around this call. "
            "Pass the one you mean"
            if running > 1
            else "No running Dispatcher. Wrap the call in `with Dispatcher.from_env():`, or pass one"
        )
        super().__init__(f"{found}: create_async(..., dispatcher=my_dispatcher).")


class OtherProcess(PaydispatchError):
    """The process that forked this one has the request in its buffer and carries it on."""

    def __init__(self, process_id: int) -> None:
        super().__init__(
            f"The receipt belongs to process {process_id}, which forked this one and carries its request on. "
            "Wait for it there."
        )


class BadSetting(PaydispatchError):
    """A setting, mostly an environment variable, holds what this program cannot use."""


class MissingSetting(BadSetting):
    """A variable that this program cannot do without."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The environment variable {name} is not set.")


class NotDelivered(PaydispatchError):
    """Some requests are not on the queue for certain. Each group of receipts says what to do."""

    def __init__(
        self,
        *,
        refused: Sequence[Any] = (),
        unknown: Sequence[Any] = (),
        under_way: Sequence[Any] = (),
        cause: str = "",
    ) -> None:
        self.refused: tuple[Any, ...] = tuple(refused)
        """Receipts of requests that were not accepted: send them again in any way, or drop them."""
        self.unknown: tuple[Any, ...] = tuple(unknown)
        """Receipts of requests that may have been accepted: `dispatcher.redispatch(receipt)` keeps their identity.

        A new `create_async` without the same `idempotency_key` could be a second effect.
        """
        self.under_way: tuple[Any, ...] = tuple(under_way)
        """Receipts that the Dispatcher still offers to the queue, after a `flush` that ended early: wait for them."""
        self.receipts: tuple[Any, ...] = (*self.refused, *self.unknown, *self.under_way)
        """All of them."""
        parts = [
            _list_receipts(
                self.refused, "were refused and not accepted: send them again, or drop them"
            ),
            _list_receipts(
                self.unknown,
                "may have been accepted, because the answer was lost: repeat them only with "
                "dispatcher.redispatch(receipt)",
            ),
            _list_receipts(self.under_way, "are still on their way: wait for them"),
            cause,
        ]
        super().__init__(" ".join(part for part in parts if part))


def _list_receipts(receipts: Sequence[Any], state: str) -> str:
    if not receipts:
        return ""
    shown = ", ".join(str(receipt.request_id) for receipt in receipts[:20])
    more = f" and {len(receipts) - 20} more" if len(receipts) > 20 else ""
    return f"{len(receipts)} requests {state} ({shown}{more})."


class UnexpectedEvent(PaydispatchError):
    """Whoever wired the function up must change that: no retry helps."""


class CannotOpen(PaydispatchError):
    """A sealed key that does not open for this message, or a secret that is not there."""


class MissingFlow(PaydispatchError):
    """No script of that name: there is nothing to run, now or later."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(f"There is no {name}.py in {folder}.")


class ScriptFailed(PaydispatchError):
    """A script did not return. Holds text alone, because an exception of a script is code of a stranger."""

    def __init__(self, why: str, traceback: str = "") -> None:
        super().__init__(why)
        self.traceback = traceback
