"""The options of a request, declared once: `create_async`, `call_async` and the same calls in a flow pass them on.

`Dispatcher.submit` and a flow's `_dispatch` take each by its name, because they give it its meaning. The type checker
finds an option that one of them does not take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.requests import LaneName


class Options(TypedDict, total=False):
    """The keywords of every call that dispatches a request."""

    idempotency_key: str | None
    """Requests with the same key are one request."""
    lane: LaneName
    """`interactive`, which is the default, or `batch`."""
    deadline_s: float | None
    """The seconds in which the request is tried. The default is six hours."""
    stripe_account: str | None
    """The connected account: `acct_1`."""
    stripe_context: str | None
    """The account in which an organisation's key acts, or a path of accounts: `acct_1/acct_2`."""
    unchecked_params: Mapping[str, Any] | None
    """Merged into the parameters without a check against the schema."""
    traceparent: str | None
    """The W3C trace context, for the log. Without it the current span of OpenTelemetry, if the program uses it, and in
    a flow that of the request. An invalid value is ignored."""
