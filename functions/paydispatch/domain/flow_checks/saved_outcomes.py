"""Read a saved outcome, in each of the forms in which the commands of paydispatch and Stripe print one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.outcomes import Error
from paydispatch.domain.parsed_error import ParsedError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMS = (
    "It must be an answer of Stripe, a parsed_error, or what `paydispatch status --json`, "
    "`paydispatch flows dead show` or the API prints."
)
_KEPT = ("operation", "params", "path", "worker_id", "context_id", "tenant", "inferred")


@dataclass(frozen=True, slots=True)
class SavedOutcome:
    """The argument of a flow, and what is known of its request."""

    parsed_data: Mapping[str, Any] | None = None
    parsed_error: ParsedError | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    """Some of `operation`, `params`, `path`, `worker_id`, `context_id`, `tenant` and `inferred`."""


def read_saved(value: Any, *, end: str | None) -> SavedOutcome:
    """Read an outcome from JSON values. `end` is `response` or `error`: the end that the script runs for.

    None: either. Raises `InvalidField`.
    """
    if not isinstance(value, dict):
        raise InvalidField("data", f"The saved outcome is no JSON object. {FORMS}")
    if isinstance(value.get("flows"), list) and "request_id" not in value:
        return _of_dead_flows(value["flows"], end)
    if isinstance(value.get("entry"), dict):
        return read_saved(value["entry"], end=end)
    body, error = _parts(value)
    if body is None and error is None and (end == "error" or "request_id" in value):
        raise InvalidField("data", f"The saved outcome has no {end or 'outcome'}. {FORMS}")
    request = {name: value[name] for name in _KEPT if value.get(name) is not None}
    if error is not None:
        return SavedOutcome(parsed_error=_read_error(error), request=request)
    return SavedOutcome(value) if body is None else SavedOutcome(body, request=request)


def _parts(value: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return Stripe's answer and the error in a status, in an entry, or in an error itself. One of them is None.

    Both are None for a plain answer of Stripe, which may have a field `error` of its own.
    """
    if isinstance(response := value.get("response"), dict) and "body" in response:
        return response["body"], None
    for error in (value.get("parsed_error"), value.get("error"), value):
        if isinstance(error, dict) and {"kind", "certainty"} <= error.keys():
            return None, error
    body = value.get("parsed_data")
    return (body, None) if isinstance(body, dict) else (None, None)


def _of_dead_flows(flows: list[Any], end: str | None) -> SavedOutcome:
    """Return the first of the outcomes that the script runs for."""
    for flow in flows:
        entry = flow.get("entry") if isinstance(flow, dict) else None
        if isinstance(entry, dict) and end in (
            None,
            "response" if "response" in entry else "error",
        ):
            return read_saved(entry, end=end)
    raise InvalidField("data", f"None of the dead flows has an outcome that is a {end}.")


def _read_error(fields: Mapping[str, Any]) -> ParsedError:
    try:
        return ParsedError(Error.from_dict(fields))
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidField(
            "data",
            "A parsed_error needs kind (http, api, dispatcher), certainty (not_created, not_executed, unknown), "
            f"message and attempts: {error}.",
        ) from None
