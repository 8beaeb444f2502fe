"""Invokes a Lambda function, and waits for its answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient

LONGEST_RUN_S = 310
"""Above the timeout of the operator's function in template.yaml, so that its own answer comes first."""

INVOKE_CONFIG = Config(
    connect_timeout=5,
    read_timeout=LONGEST_RUN_S,
    retries={"mode": "standard", "total_max_attempts": 1},
    tcp_keepalive=True,
)
"""Without a retry, because a lost answer does not say whether the command was done. The operator decides."""

SHOWN = 500
"""The characters that are shown of an error that a function raised."""


def invoke(client: LambdaClient, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer, a JSON object. Raises `Unavailable`, also if the function failed or timed out."""
    with unavailable_for_aws_errors():
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = answer["Payload"].read()
    name = function.rpartition(":function:")[2] or function
    said = _read(payload)
    if answer.get("FunctionError"):
        why = said.get("errorMessage") if isinstance(said, dict) else None
        raise Unavailable(f"The function {name} failed: {str(why or said)[:SHOWN]}")
    if not isinstance(said, dict):
        raise Unavailable(f"The function {name} gave no JSON object as its answer.")
    return said


def _read(payload: bytes) -> Any:
    """Return the JSON value, or None for any other text."""
    try:
        return json.loads(payload)
    except ValueError:
        return None
