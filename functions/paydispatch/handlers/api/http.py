"""A request and an answer of an API Gateway HTTP API, in its payload format 2.0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_STAGE = "$default"


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """The parts of an event that the handler reads. It has no `repr`, because the body holds the Stripe key."""

    method: str
    path: str
    """Decoded by API Gateway, and without the name of the stage."""
    headers: Mapping[str, str]
    """The names are in lower case."""
    body: str
    is_base64_encoded: bool
    event: Mapping[str, Any]
    left_s: float = 0.0
    """The seconds that are left of this invocation."""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters in the URL, decoded."""
        return self.event.get("queryStringParameters") or {}

    @classmethod
    def from_event(cls, event: Mapping[str, Any], left_s: float = 0.0) -> HttpRequest:
        context = event["requestContext"]
        headers = event.get("headers") or {}
        return cls(
            method=str(context["http"]["method"]).upper(),
            path=_without_stage(str(event["rawPath"]), str(context["stage"])),
            headers={str(name).lower(): value for name, value in headers.items()},
            body=event.get("body") or "",
            is_base64_encoded=bool(event.get("isBase64Encoded")),
            event=event,
            left_s=left_s,
        )


def _without_stage(path: str, stage: str) -> str:
    """Return the path without the name of the stage, with which it begins unless the stage is the default one."""
    return path if stage == _DEFAULT_STAGE else path[len(stage) + 1 :]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer in JSON."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_payload(self) -> dict[str, Any]:
        """Return the answer in the form that every kind of gateway passes on."""
        return {
            "statusCode": self.status,
            "headers": {**self.headers, "Content-Type": "application/json"},
            "body": self.body,
            "isBase64Encoded": False,
        }
