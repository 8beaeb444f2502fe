"""The schemas of the API's answers. A later version may add fields, so that a client must ignore unknown ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openapi import references
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    from openapi.references import Node

_STATUSES = {
    "dispatched": "the request is on the queue",
    "calling": "Stripe is being called",
    "retrying": "the next call is at `retry_at`",
    "succeeded": "final: Stripe executed the operation, and its answer is in `parsed_data`",
    "failed": "final: the operation had no effect, for the reason in `parsed_error`",
    "unknown": "it is not known yet if Stripe executed the operation (`parsed_error`). Reconciliation may settle it",
}


def answer_schemas() -> dict[str, Node]:
    return {
        "object_name": {"type": "string", "enum": sorted({row.object for row in all_operations()})},
        "operation_name": {"type": "string", "enum": [row.name for row in all_operations()]},
        "request_id": {"type": "string", "pattern": "^pdr_[0-9a-z]{26}$"},
        "warning": _warning(),
        "accepted": _acceptance(),
        "batch_answer": _batch_answer(),
        "batch_accepted": _batch_accepted(),
        "batch_refused": _batch_refused(),
        "batch_maybe_accepted": _batch_maybe_accepted(),
        "request_status": _request_status(),
        "parsed_error": _outcome_error(),
        "error": _error(),
        "unavailable_answer": _unavailable_answer(),
        "error_answer": _object({"error": references.schema("error")}),
        "params_refused": _params_refused(),
        "gateway_answer": _gateway_answer(),
        "event_taken": _object({"received": {"const": True}, "queued": {"type": "boolean"}}),
        "health": _object({"status": {"const": "ok"}}),
    }


def _object(required: Node, optional: Node | None = None) -> Node:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def _acceptance_fields() -> Node:
    return {
        "request_id": references.schema("request_id"),
        "object": references.schema("object_name"),
        "operation": references.schema("operation_name"),
        "status": _status(),
        "worker_id": references.schema("worker_id"),
        "context_id": references.schema("context_id"),
    }


def _warning() -> Node:
    meaning = "A parameter that was accepted, although Stripe may refuse it."
    names = {"param": _param(), "message": {"type": "string"}}
    return {"description": meaning} | _object(names)


def _warning_fields() -> Node:
    warnings = {
        "description": "Present if there are any: each parameter or value that the version of Stripe's API which this "
        "document names is not known to have.",
        "type": "array",
        "minItems": 1,
        "items": references.schema("warning"),
    }
    more = {
        "description": "The number of further warnings that are left out, because the answer would be too large.",
        "type": "integer",
        "minimum": 1,
    }
    return {"warnings": warnings, "more_warnings": more}


def _acceptance() -> Node:
    fields = _object(_acceptance_fields(), _warning_fields())
    return {"description": "The queue has the request."} | fields


def _batch_answer() -> Node:
    kinds = ("batch_accepted", "batch_refused", "batch_maybe_accepted")
    item = {"oneOf": [references.schema(kind) for kind in kinds]}
    results = {
        "description": "One result per request, in the order of the requests.",
        "type": "array",
        "items": item,
    }
    return _object({"results": results})


def _batch_accepted() -> Node:
    replayed = {
        "description": "Present if the item's idempotency key was used before with the same body.",
        "const": True,
    }
    return _object(_acceptance_fields(), {"idempotent_replayed": replayed, **_warning_fields()})


def _batch_refused() -> Node:
    http_status = {
        "description": "The HTTP status that the request would have received on its own.",
        "type": "integer",
        "enum": [400, 404, 409, 413, 422, 503],
    }
    fields = _error_fields()
    required = {
        "status": {"const": "refused"},
        "http_status": http_status,
        "error": fields.pop("error"),
    }
    return _object(required, fields)


def _maybe_acceptance_fields() -> Node:
    return {
        "error": references.schema("error"),
        "request_id": references.schema("request_id"),
        "idempotency_key": {
            "description": "The caller's key, or one that the API made. The same body under it is the same request.",
            "type": "string",
        },
    }


def _unavailable_answer() -> Node:
    meaning = "If the code is `maybe_accepted`, the request may have been accepted. Its id and key are given."
    named = _maybe_acceptance_fields()
    return {"description": meaning} | _object({"error": named.pop("error")}, named)


def _batch_maybe_accepted() -> Node:
    alone = {"status": {"const": "maybe_accepted"}, "http_status": {"const": 503}}
    return _object(alone | _maybe_acceptance_fields())


def _request_status() -> Node:
    required: Node = {
        "request_id": {"type": "string"},
        "object": references.schema("object_name"),
        "operation": references.schema("operation_name"),
        "status": _status(),
        "worker_id": references.schema("worker_id"),
        "context_id": references.schema("context_id"),
        "attempts": {"description": "Calls to Stripe so far.", "type": "integer", "minimum": 0},
    }
    optional: Node = {
        "retry_at": {"description": "Unix seconds of the next call.", "type": "number"},
        "waits_for": {
            "description": "Why the next call must wait. Without it the request waits for its next attempt.\n"
            "- `rate_limit`: the limit of its account or operation has no room\n"
            "- `concurrency_limit`: Stripe allows no more calls in flight\n"
            "- `paused`: an operator paused its lane, its account or everything\n"
            "- `outage`: Stripe does not answer its account\n"
            "- `key_refused`: Stripe refuses its key",
            "enum": [why.value for why in Why],
        },
        "lane": {
            "description": "The lane in which the request waits. It comes with `waits_for`.",
            "enum": [lane.value for lane in Lane],
        },
        "fingerprint": {
            "description": "The hash of the request that the id stands for, if the caller asked with it.",
            "type": "string",
        },
        "parsed_data": {"description": "The JSON answer of Stripe.", "type": "object"},
        "parsed_error": references.schema("parsed_error"),
        "warnings": {
            "description": "Fields that are left out because they are too large for this answer, with the code "
            "`too_large`. After a call that waited also the warnings of its parameters.",
            "type": "array",
            "items": _object(
                {"param": {"type": "string"}, "message": {"type": "string"}},
                {"code": {"type": "string"}},
            ),
        },
        "more_warnings": _warning_fields()["more_warnings"],
    }
    return _object(required, optional)


def _status() -> Node:
    meanings = "\n".join(f"- `{status}`: {meaning}" for status, meaning in _STATUSES.items())
    return {"description": meanings, "type": "string", "enum": list(_STATUSES)}


def _outcome_error() -> Node:
    text: Node = {"type": ["string", "null"]}
    required: Node = {
        "kind": {
            "description": "`http`: network error, timeout, or no attempts left. `api`: Stripe refused. "
            "`dispatcher`: an error of paydispatch.",
            "enum": [kind.value for kind in ErrorKind],
        },
        "message": {"type": "string"},
        "attempts": {"type": "integer", "minimum": 0},
        "certainty": {
            "description": "`unknown`: Stripe may have executed the operation, so do not repeat it under another key.",
            "enum": [certainty.value for certainty in Certainty],
        },
    }
    names = ("code", "type", "decline_code", "param", "stripe_request_id")
    answered = (
        "Stripe saved this error under the idempotency key, so that the same key returns it again."
    )
    optional = dict.fromkeys(names, text) | {
        "http_status": {"type": ["integer", "null"]},
        "answered": {"description": answered, "type": "boolean"},
    }
    return _object(required, optional)


def _error() -> Node:
    types = ["invalid_request_error", "idempotency_error", "api_error"]
    required: Node = {
        "type": {"type": "string", "enum": types},
        "code": {"type": "string"},
        "message": {
            "description": "A sentence that explains how to fix the request.",
            "type": "string",
        },
    }
    return {"description": "An error in the form of Stripe's errors."} | _object(
        required, {"param": _param()}
    )


def _param() -> Node:
    return {
        "description": "The name of the field. A nested field has the form `items[0][price]`.",
        "type": "string",
    }


def _error_fields() -> Node:
    errors = {
        "description": "Every parameter that Stripe would refuse. The first is also in `error`.",
        "type": "array",
        "minItems": 1,
        "items": references.schema("error"),
    }
    more = {
        "description": "The number of further errors that are left out, because the answer would be too large.",
        "type": "integer",
        "minimum": 1,
    }
    return {"error": references.schema("error"), "errors": errors, "more_errors": more}


def _params_refused() -> Node:
    fields = _error_fields()
    return _object(fields, {"more_errors": fields.pop("more_errors")})


def _gateway_answer() -> Node:
    meaning = "API Gateway answered this itself, without the API."
    return {"description": meaning} | _object({"message": {"type": "string"}})
