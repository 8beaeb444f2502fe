"""Runs an operator's command in the function of a deployed stack, which AWS invokes for those who may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws.errors import CLIENT_CONFIG, unavailable_for_aws_errors
from paydispatch.adapters.aws.functions import INVOKE_CONFIG, invoke
from paydispatch.cli.stacks import stack_outputs
from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient

    from paydispatch.services.operate.ports import Document


@dataclass(frozen=True, slots=True)
class OperatorFunction:
    """The function, asked by one caller."""

    client: LambdaClient
    name: str
    caller: str
    """The ARN of the operator, for the function's log."""

    def run(self, command: str, given: Mapping[str, Any]) -> Document:
        """Run a command once. Raises `PaydispatchError` with the function's own error, and `Unavailable`."""
        event = {"command": command, "arguments": dict(given), "caller": self.caller}
        answer = invoke(self.client, self.name, event)
        document: Document | None = answer.get("document")
        if document is None:
            error = answer.get("error")
            raise PaydispatchError(str(error.get("message") if isinstance(error, dict) else answer))
        return document


def connect(stack: str) -> OperatorFunction:
    """Return the function of a stack. Raises `BadSetting` if there is no such stack, and `Unavailable`."""
    import boto3

    client = boto3.Session().client
    name = stack_outputs().operator_function(stack)
    with unavailable_for_aws_errors():
        caller = client("sts", config=CLIENT_CONFIG).get_caller_identity()["Arn"]
    return OperatorFunction(client("lambda", config=INVOKE_CONFIG), name, caller)
