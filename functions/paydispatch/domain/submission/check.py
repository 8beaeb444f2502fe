"""Check a line of a file before it is sent: the request in it, or every fault."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import BadRequest, InvalidParams, TooLarge
from paydispatch.domain.identity.fingerprint import fingerprint
from paydispatch.domain.parameters.check import judge_params
from paydispatch.domain.parameters.unchecked import merge_unchecked
from paydispatch.domain.requests import OperationRequest, parse_item
from paydispatch.domain.stripe.operation_fields import operation_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.domain.errors import ParamError

_RIGHT_VALUES: Mapping[str, Any] = {
    "worker_id": "w",
    "context_id": "c",
    "stripe_context": "acct_1",
    "secret_ref": "any",
    "params": {},
}
"""A right value for each field that may be missing. It stands in only while the other fields are checked."""

_FIELD_OF = {"Idempotency-Key": "idempotency_key", "stripe_secret": "secret_ref"}
"""The field to replace, where it is not the one that the error names."""

_NAMES_OF_THE_OPERATION = ("operation", "object", "path")

_CONTENT_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason to refuse a line."""

    param: str | None
    code: str
    message: str

    @classmethod
    def of(cls, error: BadRequest | ParamError) -> Fault:
        return cls(error.param, error.code, error.message)


def check_fields(
    fields: Mapping[str, Any], idempotency_key: Any, version: str
) -> OperationRequest | tuple[Fault, ...]:
    """Return the request of a line, or every fault of it. `version` is the version of Stripe's API that calls name."""
    try:
        request = parse_item(fields, idempotency_key=idempotency_key)
        check_size(json.dumps((request.params, request.unchecked_params)))
    except TooLarge as error:
        return (Fault.of(error),)
    except BadRequest:
        return tuple(_faults_of_fields(fields, idempotency_key, version))
    verdict = judge_params(
        request.operation.name, request.params, request.unchecked_params, version
    )
    return tuple(map(Fault.of, verdict.errors)) or request


def content_of(request: OperationRequest) -> str:
    """Return a digest of the content that two equal requests have in common (`fingerprint`).

    With it a changed line is noticed under its old key. The tenant does not count, because it is not known here.
    """
    whole = fingerprint(
        space="",
        worker_id=request.worker_id,
        context_id=request.context_id,
        operation=request.operation.name,
        path=request.path,
        params=merge_unchecked(request.params, request.unchecked_params),
        stripe_account=request.stripe_account,
        stripe_context=request.stripe_context,
    )
    return whole.rpartition(":")[2][:_CONTENT_DIGITS]


def _faults_of_fields(fields: Mapping[str, Any], key: Any, version: str) -> Iterator[Fault]:
    """Yield the faults of the fields one after the other, and then those of the parameters.

    A faulty field is replaced by a right value, or left out, so that the check finds the next one.
    """
    left = {**fields, "idempotency_key": key}
    for _ in fields.keys() | _RIGHT_VALUES.keys():
        try:
            parse_item(left)
        except InvalidParams as error:
            yield from map(Fault.of, error.errors)
            return  # nested too deeply for any other check
        except BadRequest as error:
            yield Fault.of(error)
            if not _set_right(left, error.param):
                break
        else:
            break
    yield from _faults_of_params(left, version)


def _set_right(fields: dict[str, Any], param: str | None) -> bool:
    """Replace the field that an error names. Return False if it is not a field that can be replaced."""
    name = _FIELD_OF.get(param or "", param or "")
    if name == "secret_ref":
        fields.pop("stripe_secret", None)
    if name in _RIGHT_VALUES:
        fields[name] = _RIGHT_VALUES[name]
        return True
    return name not in _NAMES_OF_THE_OPERATION and fields.pop(name, None) is not None


def _faults_of_params(fields: Mapping[str, Any], version: str) -> Iterator[Fault]:
    """Yield the faults of the parameters, if the line names an operation that has some."""
    try:
        operation = operation_of(fields).name
    except BadRequest:
        return
    params, unchecked = fields.get("params", {}), fields.get("unchecked_params") or {}
    if isinstance(params, dict) and isinstance(unchecked, dict):
        yield from map(Fault.of, judge_params(operation, params, unchecked, version).errors)
