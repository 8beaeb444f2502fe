"""Every error this project raises on purpose, sorted by who must act.

PaydispatchError
├── BadRequest              the caller must change the request; `status` is the door's HTTP answer
│   ├── InvalidField          400  one field is missing or wrong
│   ├── UnknownObject         404  no such Stripe object in the table
│   ├── InvalidParams         422  Stripe's schema refuses the parameters; `errors` has them all
│   ├── TooLarge              413  over what one queue message may hold
│   ├── IdempotencyConflict   409  the key was used with another body
│   ├── RequestNotFound       404  no such request, or not yours
│   └── NotAllowed            401  no principal
├── Unavailable             nobody's fault: try again later; nothing was accepted
│   ├── MaybeAccepted         the answer was lost: it may have been accepted; repeat it under the same identity
│   ├── NotPermitted          AWS denies an access: somebody has to grant a permission
│   └── BufferFull            the Dispatcher's buffer; the queue is slower than the caller
├── NotDelivered            some receipts never became durable; `receipts` names them
├── NoDispatcher            `create_async` outside a running Dispatcher
├── BadSetting              the environment says what cannot be used
│   └── MissingSetting        or does not say what is needed
├── CannotOpen              a sealed key that does not belong to this message, or no such secret
└── MissingFlow             no script of that name in the flows folder
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


class RequestNotFound(BadRequest):
    status = 404

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"No request {request_id[:64]!r}.", code="resource_missing", param="request_id"
        )


class NotAllowed(BadRequest):
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


class NotPermitted(Unavailable):
    """AWS denies this program an access. It works again once somebody grants the permission."""


class BufferFull(Unavailable):
    def __init__(self, size: int) -> None:
        super().__init__(
            f"The Dispatcher already holds {size} requests the queue has not taken yet. "
            "Wait for some receipts, or start it with a larger buffer_size.",
        )


class NoDispatcher(PaydispatchError):
    def __init__(self) -> None:
        super().__init__(
            "No running Dispatcher. Wrap the call in `with Dispatcher.from_env():`, "
            "or pass one: create_async(..., dispatcher=my_dispatcher)."
        )


class BadSetting(PaydispatchError):
    """An environment variable holds what this program cannot use."""


class MissingSetting(BadSetting):
    """A variable that this program cannot do without."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The environment variable {name} is not set.")


class NotDelivered(PaydispatchError):
    """Some requests never reached the queue: what they hold is lost unless the caller sends it again."""

    def __init__(self, receipts: Sequence[object], cause: str) -> None:
        shown = ", ".join(str(getattr(receipt, "request_id", receipt)) for receipt in receipts[:20])
        more = f" and {len(receipts) - 20} more" if len(receipts) > 20 else ""
        super().__init__(
            f"{len(receipts)} requests did not reach the queue: {shown}{more}. {cause}"
        )
        self.receipts = tuple(receipts)


class CannotOpen(PaydispatchError):
    """A sealed key that does not open for this message, or a secret that is not there."""


class MissingFlow(PaydispatchError):
    """No script of that name: there is nothing to run, now or later."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(f"There is no {name}.py in {folder}.")
