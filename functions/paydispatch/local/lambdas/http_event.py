"""Translates HTTP requests to API Gateway events, and a Lambda's answers to HTTP responses. No I/O.

Payload format 2.0 of an HTTP API with one `$default` route and stage:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

_ROUTE = "$default"
_API_ID = "local"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to the API."""

    method: str
    path: str
    query: str
    """The query string without the question mark, not decoded."""

    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response to a request. Header names are unique. Each cookie becomes a `Set-Cookie` header of its own."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Sequence[str] = ()


class BadAnswer(Exception):
    """The handler returned an answer that API Gateway would replace by a 500."""


def http_event(request: HttpRequest) -> dict[str, Any]:
    """Return the event in payload format 2.0."""
    headers = _join((name.lower(), value) for name, value in request.headers)
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    body, is_base64 = _text(request.body)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": _ROUTE,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, headers),
        "isBase64Encoded": is_base64,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": _join(parse_qsl(request.query, keep_blank_values=True)),
        "body": body,
    }
    return event | {name: value for name, value in optional.items() if value}


def http_response(answer: object) -> HttpResponse:
    """Return the HTTP response for a Lambda's answer. Raises `BadAnswer`."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("statusCode"), int):
        raise BadAnswer(
            f"The handler must return an object with a statusCode, but it returned {type(answer).__name__}."
        )
    body = answer.get("body") or ""
    headers = {
        str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()
    }
    return HttpResponse(
        status=answer["statusCode"],
        headers={"content-type": "application/json"} | headers,
        body=_bytes(body) if answer.get("isBase64Encoded") else str(body).encode(),
        cookies=tuple(answer.get("cookies") or ()),
    )


def _context(request: HttpRequest, headers: Mapping[str, str]) -> dict[str, Any]:
    now_s = time.time()
    domain = headers.get("host", "localhost")
    return {
        "accountId": "anonymous",
        "apiId": _API_ID,
        "domainName": domain,
        "domainPrefix": domain.split(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": uuid.uuid4().hex[:15] + "=",
        "routeKey": _ROUTE,
        "stage": _ROUTE,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
        "timeEpoch": int(now_s * 1000),
    }


def _join(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs as a dict. Join the values of one name with commas, as API Gateway does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _text(body: bytes) -> tuple[str, bool]:
    """Return the body as text, and whether it is base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _bytes(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadAnswer(f"The handler's body is not base64: {error}") from None
