"""The OpenAPI 3.1 document of the API, from the table of objects, Stripe's schemas and the API's own answers.

https://spec.openapis.org/oas/v3.1.1.html.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from openapi.answer_schemas import answer_schemas
from openapi.operations import PARAMETERS, paths
from openapi.parameters import params_schemas
from openapi.request_bodies import request_schemas
from openapi.responses import HEADERS, shared_responses
from paydispatch.domain.resources import RESOURCES
from paydispatch.domain.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from openapi.references import Node

_DESCRIPTION = f"""\
Asks for Stripe objects to be created and answers at once, when the queue has the request. The call to Stripe is made
elsewhere, as often as needed and never with a double effect. Its outcome runs a flow in the worker the caller named,
and can be read at the `Location` of the answer.

Parameters are Stripe's own, of version `{STRIPE_API_VERSION}`. A few rules across parameters are checked as well.
Errors have Stripe's own shape. Deployed, a call is signed for AWS or carries a token; locally there is no sign-in.
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
    {"name": "creates", "description": "Ask for objects to be created."},
    {"name": "requests", "description": "What became of what was asked."},
    {"name": "service", "description": "About the API itself."},
]


@cache
def document() -> Node:
    """Build the document. It is shared: do not change it."""
    return {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in _SECURITY_SCHEMES] + [{}],
        "tags": _TAGS,
        "paths": paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": shared_responses(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _info() -> Node:
    return {
        "title": "paydispatch",
        "summary": "Call Stripe without waiting for it.",
        "description": _DESCRIPTION,
        "version": "1.0",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "x-stripe-version": STRIPE_API_VERSION,
    }


def _schemas() -> dict[str, Node]:
    schemas = answer_schemas() | request_schemas()
    for row in RESOURCES:
        schemas |= params_schemas(row)
    return schemas
