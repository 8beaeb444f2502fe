"""Every error that this project raises on purpose, sorted by the party that must act.

PaydispatchError
├── BadRequest              the caller must change the request (`status` is the HTTP status of the API's answer)
│   ├── InvalidField          400  one field is missing or wrong
│   ├── UnknownObject         404  the table has no such Stripe object
│   ├── UnknownOperation      404  the table has no such operation
│   ├── InvalidParams         422  Stripe's schema refuses the parameters (`errors` has every fault)
│   ├── TooLarge              413  the request does not fit into a queue message
│   ├── IdempotencyConflict   409  the key was used with another body
│   ├── RequestNotFound       404  the request does not exist, or belongs to another tenant
│   ├── UnknownWebhook        404  no signing secret is stored for a webhook of that name
│   ├── InvalidSignature      400  an event was not signed by Stripe, or too long ago
│   └── NotAuthenticated      401  the call has no principal
├── Unavailable             try again later: nothing was accepted
│   ├── MaybeAccepted         the answer was lost, so repeat the request under the same identity
│   ├── NotPermitted          AWS denies an access: an administrator must grant the permission
│   └── BufferFull            the Dispatcher's buffer is full, because the queue is slower than the caller
├── NotDelivered            some receipts are not durable (`refused` and `unknown` name them)
├── NoDispatcher            no Dispatcher runs, or several run and none was chosen
├── OtherProcess            the receipt belongs to the process that forked this one
├── BadSetting              a setting has a value that this program cannot use
│   └── MissingSetting        an environment variable is not set
├── UnexpectedEvent         a Lambda function was invoked with another kind of event than it accepts
├── CannotOpen              the sealed key does not belong to this message, or the secret does not exist
├── MissingFlow             the flows folder has no script of that name
└── ScriptFailed            a script raised, took too long, or cannot be run
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence


class PaydispatchError(Exception):
    """The root of the tree above. Its texts may quote input, so that every Stripe key in them is redacted."""

    def __init__(self, *said: object) -> None:
        super().__init__(*(redact(each) if isinstance(each, str) else each for each in said))


class BadRequest(PaydispatchError):
    """The caller must change the request. The error has Stripe's fields: `type`, `code`, `param`, `message`."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message: str = self.args[0]
        self.code = code
        self.param = None if param is None else redact(param)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as Stripe's `error` object."""
        shown = {"type": self.type, "code": self.code, "param": self.param, "message": self.message}
        return {name: value for name, value in shown.items() if value is not None}


class InvalidField(BadRequest):
    """One field of the request itself (not of Stripe's parameters) is missing or wrong."""

    def __init__(self, param: str | None, message: str, *, code: str = "parameter_invalid") -> None:
        super().__init__(message, code=code, param=param)


_FEW = 20
"""An error lists so many names, and no more."""


class UnknownObject(BadRequest):
    """Stripe has no create of such an object. `known` has the names that the caller may have meant."""

    status = 404

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        close = get_close_matches(name[:64], known, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        shown = (
            ", ".join(known) if len(known) <= _FEW else f"the {len(known)} that Stripe can create"
        )
        super().__init__(
            f"object must be one of {shown}, not {name[:64]!r}.{hint}",
            code="unknown_object",
            param="object",
        )


class UnknownOperation(BadRequest):
    """The table of operations has no such name. `close` has names that the caller may have meant."""

    status = 404

    def __init__(self, name: str, *, close: Sequence[str]) -> None:
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        super().__init__(
            f"operation must be a write of Stripe's API, such as create_product, not {name[:64]!r}.{hint}",
            code="unknown_operation",
            param="operation",
        )


@dataclass(frozen=True, slots=True)
class ParamError:
    """One parameter that Stripe would refuse."""

    param: str
    """Stripe's bracket path: `items[0][price]`."""

    code: str
    """Stripe's code: `parameter_unknown`, `parameter_missing`, `parameter_invalid_integer` …"""

    message: str
    """A sentence that names the parameter and says how it would be right."""

    def __post_init__(self) -> None:
        """Redact both texts, because they may quote the caller's input."""
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
    """Parameters that Stripe's own schema refuses. `errors` has every fault, and `message` is that of the first one."""

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
            f"The request has {size_bytes} bytes as a queue message, and at most {limit_bytes} fit. Shorten params.",
            code="request_too_large",
        )


class IdempotencyKeyReused(BadRequest):
    """The idempotency key stands for another request, so the outcome under it is not that of this one."""

    status = 409
    type = "idempotency_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="idempotency_key_reused")

    @classmethod
    def of_request(cls, request_id: str) -> IdempotencyKeyReused:
        return cls(
            f"The request {request_id[:64]!r} is another one, because its idempotency key was first used with another "
            "body. Use a new key."
        )


class IdempotencyConflict(IdempotencyKeyReused):
    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was first used with another body. "
            "Send the same body again, or use a new key."
        )


class RequestNotFound(BadRequest):
    status = 404

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"No request {request_id[:64]!r} is known.", code="resource_missing", param="request_id"
        )


class UnknownWebhook(BadRequest):
    """No signing secret is stored under the name of the webhook, or the API takes no events at all."""

    status = 404

    def __init__(self, message: str) -> None:
        super().__init__(message, code="webhook_unknown")


class InvalidSignature(BadRequest):
    """The event was refused. `why` is a word of `SignatureFault`."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The header Stripe-Signature proves no event of this webhook ({why}). Nothing was changed.",
            code="signature_invalid",
        )


class NotAuthenticated(BadRequest):
    status = 401

    def __init__(
        self, message: str = "Sign in: this call needs an authenticated principal."
    ) -> None:
        super().__init__(message, code="not_signed_in")


class Unavailable(PaydispatchError):
    """Nothing was accepted. The same call can be made again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MaybeAccepted(Unavailable):
    """The answer was lost, so that the request may have been accepted. Repeat it only under the same identity."""

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
    """AWS denies this program an access. The same call succeeds once an administrator grants the permission."""


class BufferFull(Unavailable):
    def __init__(self, size: int) -> None:
        super().__init__(
            f"The Dispatcher's buffer already holds {size} requests that the queue has not accepted yet. "
            "Wait for some receipts, or start the Dispatcher with a larger buffer_size.",
        )


class NoDispatcher(PaydispatchError):
    """No Dispatcher takes the request: none runs, or several do (`running`) and the caller must choose one."""

    def __init__(self, *, running: int = 0) -> None:
        found = (
            f"{running} Dispatchers run in this process, and no `with` block of one encloses this call. Pass one"
            if running > 1
            else "No running Dispatcher. Wrap the call in `with Dispatcher.from_env():`, or pass one"
        )
        super().__init__(f"{found}: create_async(..., dispatcher=my_dispatcher).")


class OtherProcess(PaydispatchError):
    """The request is in the buffer of the process that forked this one. That process sends it."""

    def __init__(self, process_id: int) -> None:
        super().__init__(
            f"The receipt belongs to process {process_id}, which forked this one and sends the request. "
            "Wait for the receipt in that process."
        )


class BadSetting(PaydispatchError):
    """A setting, mostly an environment variable, has a value that this program cannot use."""


class MissingSetting(BadSetting):
    """An environment variable that this program needs is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The environment variable {name} is not set.")


class NotDelivered(PaydispatchError):
    """It is not certain that all requests are on the queue. Each group of receipts has its own remedy."""

    def __init__(
        self,
        *,
        refused: Sequence[Any] = (),
        unknown: Sequence[Any] = (),
        under_way: Sequence[Any] = (),
        cause: str = "",
    ) -> None:
        self.refused: tuple[Any, ...] = tuple(refused)
        """The receipts of requests that were not accepted. Send them again in any way, or drop them."""
        self.unknown: tuple[Any, ...] = tuple(unknown)
        """The receipts of requests that may have been accepted. Repeat them with `dispatcher.redispatch(receipt)`.

        It keeps their identity. A new `create_async` without the same `idempotency_key` could have a second effect.
        """
        self.under_way: tuple[Any, ...] = tuple(under_way)
        """The receipts of requests that the Dispatcher still sends after a `flush` that ended early. Wait for them."""
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
            _list_receipts(self.under_way, "are still being sent: wait for them"),
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
    """A Lambda function was invoked with an event that it does not accept. Change its trigger: no retry helps."""


class CannotOpen(PaydispatchError):
    """The sealed key does not open for this message, or the secret does not exist."""


class MissingFlow(PaydispatchError):
    """The flows folder has no script of that name, so that there is nothing to run, now or later."""

    def __init__(self, name: str, folder: str) -> None:
        instead = f"any_{name.rpartition('_')[2]}"
        super().__init__(f"There is no {name}.py and no {instead}.py in {folder}.")


class ScriptFailed(PaydispatchError):
    """A script did not return. The error holds only text, because a script's exception is code of a stranger."""

    def __init__(self, why: str, traceback: str = "") -> None:
        super().__init__(why)
        self.traceback = traceback
