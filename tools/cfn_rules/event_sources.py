"""Checks the event sources: the visibility timeout, the partial batch response, and access to no other queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator

_FUNCTIONS = ["AWS::Serverless::Function", "AWS::Lambda::Function"]
_SOURCE = "AWS::Lambda::EventSourceMapping"
_TIMES = 6
_DEFAULT_VISIBILITY_S = 30
_DEFAULT_TIMEOUT_S = 3


class VisibilityTimeout(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9002"
    shortdesc = "A queue's visibility timeout is at least 6 times its function's timeout"
    description = "A message must not become visible again during throttled polls or during its own invocation."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
    tags = ("sqs", "lambda")

    def match(self, cfn: Any) -> list[RuleMatch]:
        queues, functions = cfn.get_resources(["AWS::SQS::Queue"]), cfn.get_resources(_FUNCTIONS)
        return [
            RuleMatch(["Resources", name], _hidden_too_briefly(queue, hidden_s, timeout_s))
            for name, source in _queue_sources(cfn)
            for queue in [_name_in(source.get("EventSourceArn"))]
            for hidden_s in [_property(queues, queue, "VisibilityTimeout", _DEFAULT_VISIBILITY_S)]
            for function in [_name_in(source.get("FunctionName"))]
            for timeout_s in [_property(functions, function, "Timeout", _DEFAULT_TIMEOUT_S)]
            if hidden_s < _TIMES * timeout_s
        ]


class PartialBatchResponse(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9003"
    shortdesc = "Every function with a queue as its event source reports failed messages one by one"
    description = "Otherwise one bad message makes SQS deliver its whole batch again, also the messages that succeeded."
    tags = ("sqs", "lambda")

    def match(self, cfn: Any) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} lacks ReportBatchItemFailures")
            for name, source in _queue_sources(cfn)
            if "ReportBatchItemFailures" not in source.get("FunctionResponseTypes", [])
        ]


class OwnQueuesOnly(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9004"
    shortdesc = "A queue feeds a function through an EventSourceMapping"
    description = "SAM's `Type: SQS` event allows the function to read every queue of the account."
    tags = ("sqs", "lambda")

    def match(self, cfn: Any) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties", "Events", event], self.description)
            for name, function in cfn.get_resources(_FUNCTIONS).items()
            for event, source in function.get("Properties", {}).get("Events", {}).items()
            if source.get("Type") == "SQS"
        ]


def _hidden_too_briefly(queue: str, hidden_s: int, timeout_s: int) -> str:
    return f"{queue} has a visibility timeout of {hidden_s} s, which is less than {_TIMES} x {timeout_s} s"


def _queue_sources(cfn: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, source in cfn.get_resources([_SOURCE]).items():
        yield name, source.get("Properties", {})


def _name_in(value: Any) -> str:
    """Return the name of the resource in `!Ref X` or `!GetAtt X.Arn`, or ""."""
    if not isinstance(value, dict):
        return ""
    named = value.get("Ref") or value.get("Fn::GetAtt", "")
    return str(named[0] if isinstance(named, list) else named.split(".")[0])


def _property(resources: dict[str, Any], name: str, key: str, default: int) -> int:
    return int(resources.get(name, {}).get("Properties", {}).get(key, default))
