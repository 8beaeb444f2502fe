"""Builds the OpenAPI 3.1 document of the API from the table of operations, Stripe's schemas and the API's answers.

https://spec.openapis.org/oas/v3.1.1.html.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from openapi.answer_schemas import answer_schemas
from openapi.operations import parameters, paths
from openapi.parameters import params_schemas
from openapi.request_bodies import request_schemas
from openapi.responses import HEADERS, common_responses
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from openapi.references import Node

_DESCRIPTION = f"""\
Accepts requests for the writes of Stripe's API, and answers as soon as the queue has the request. A separate service
calls Stripe, as often as needed and never with a double effect. The outcome runs a flow of the worker in the request.
The status of the request is at the `Location` of the answer.

The parameters are those of Stripe's version `{STRIPE_API_VERSION}`. The API also checks a few rules across parameters.
Errors have the form of Stripe's errors. On AWS a call needs a SigV4 signature or a token. Locally there is no sign-in.
"""

_SECURITY_SCHEMES: dict[str, Node] = {
    "sigv4": {
        "description": "AWS Signature Version 4, service `execute-api`.",
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "token": {
        "description": "An OpenID Connect token with the tenant as a claim.",
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    },
}

_TAGS = [
    {"name": "operations", "description": "The writes of Stripe's API."},
    {"name": "requests", "description": "The status of a request."},
    {"name": "events", "description": "Events of Stripe, which prove effects after lost answers."},
    {"name": "service", "description": "The API itself."},
]


@cache
def document() -> Node:
    """Return the document. Do not change it, because all callers share it."""
    return {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in _SECURITY_SCHEMES] + [{}],
        "tags": _TAGS,
        "paths": paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": parameters(),
            "headers": HEADERS,
            "responses": common_responses(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _info() -> Node:
    return {
        "title": "paydispatch",
        "summary": "Call Stripe without waiting for its answer.",
        "description": _DESCRIPTION,
        "version": "1.0",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "x-stripe-version": STRIPE_API_VERSION,
    }


def _schemas() -> dict[str, Node]:
    schemas = answer_schemas() | request_schemas()
    for operation in all_operations():
        schemas |= params_schemas(operation)
    return schemas
