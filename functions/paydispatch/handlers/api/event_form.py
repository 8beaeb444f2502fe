"""Recognize the events that API Gateway sends for HTTP requests, so that the routes read no other event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT, _FIELDS, _NAMED_TEXTS, _FLAG = "text", "fields", "named texts", "flag"

_REQUIRED = {
    ("rawPath",): _TEXT,
    ("requestContext", "stage"): _TEXT,
    ("requestContext", "http", "method"): _TEXT,
}
_OPTIONAL = {
    ("headers",): _NAMED_TEXTS,
    ("queryStringParameters",): _NAMED_TEXTS,
    ("body",): _TEXT,
    ("isBase64Encoded",): _FLAG,
    ("requestContext", "authorizer"): _FIELDS,
    ("requestContext", "authorizer", "jwt"): _FIELDS,
    ("requestContext", "authorizer", "jwt", "claims"): _FIELDS,
    ("requestContext", "authorizer", "iam"): _FIELDS,
}
"""The parts of an event that the API reads, with the form that payload format 2.0 gives them."""


def is_http_request(event: object) -> bool:
    """Return whether each part that the API reads has the form of payload format 2.0."""
    needed = (_has_form(_part(event, place), form) for place, form in _REQUIRED.items())
    others = ((_part(event, place), form) for place, form in _OPTIONAL.items())
    return all(needed) and all(value is None or _has_form(value, form) for value, form in others)


def _part(event: object, place: tuple[str, ...]) -> Any:
    value: Any = event
    for step in place:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _has_form(value: object, form: str) -> bool:
    if form == _TEXT:
        return isinstance(value, str)
    if form == _FLAG:
        return isinstance(value, bool)
    if not isinstance(value, Mapping):
        return False
    return form == _FIELDS or all(isinstance(each, str) for each in value.values())
