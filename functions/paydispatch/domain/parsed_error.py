"""The error of a request as programs see it: in an error flow, and in an outcome that a program waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.domain.outcomes import Certainty, Error, ErrorKind


class ParsedError:
    """The error that an error flow gets. `str()` of it is the message. All fields are read-only."""

    __slots__ = ("_error",)

    message: str
    kind: ErrorKind
    """`http` (network, timeout, too many attempts), `api` (Stripe refused) or `dispatcher` (paydispatch itself)."""
    code: str | None
    type: str | None
    decline_code: str | None
    param: str | None
    http_status: int | None
    stripe_request_id: str | None
    attempts: int
    certainty: Certainty
    """`not_created` (`not_executed` for other operations than creates), or `unknown`: the request may have had an
    effect, so do not ask for it again under a new identity."""

    def __init__(self, error: Error) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name not in ParsedError.__annotations__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._error, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *ParsedError.__annotations__]

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"ParsedError(kind={self.kind!r}, code={self.code!r}, message={self.message!r})"
