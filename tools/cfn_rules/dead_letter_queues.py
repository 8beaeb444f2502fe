"""Checks that every queue has a dead-letter queue or is one, and that dead-letter queues keep messages longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUEUE = "AWS::SQS::Queue"
_DEFAULT_RETENTION_S = 345_600
_FEWEST_RECEIVES = 5


class DeadLetterQueues(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9001"
    shortdesc = "Every queue has a dead-letter queue or is one"
    description = "A message that makes its consumer fail must move to a queue for an operator, and stay there longer."
    tags = ("sqs",)

    def match(self, cfn: Any) -> list[RuleMatch]:
        queues = {name: q.get("Properties", {}) for name, q in cfn.get_resources([_QUEUE]).items()}
        return [RuleMatch(["Resources", name], fault) for name, fault in _faults(queues)]


def _faults(queues: dict[str, Any]) -> Iterator[tuple[str, str]]:
    dead_letter_queues = {_target(queue) for queue in queues.values()}
    for name, queue in queues.items():
        if "RedrivePolicy" in queue:
            yield from _redrive_faults(name, queue, queues)
        elif name not in dead_letter_queues:
            yield name, f"{name} has no dead-letter queue and is not one"


def _redrive_faults(
    name: str, queue: dict[str, Any], queues: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    receives = queue["RedrivePolicy"].get("maxReceiveCount")
    if isinstance(receives, int) and receives < _FEWEST_RECEIVES:
        yield (
            name,
            f"{name} dead-letters after {receives} receives, but AWS recommends at least {_FEWEST_RECEIVES}",
        )
    kept_s = _retention_s(queue)
    if kept_s >= _retention_s(queues.get(_target(queue), {})):
        yield (
            name,
            f"{name} keeps messages for {kept_s} s, and its dead-letter queue must keep them longer",
        )


def _target(queue: dict[str, Any]) -> str:
    """Return the name of the queue's dead-letter queue, or ""."""
    arn = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn", {})
    named = arn.get("Fn::GetAtt", [""]) if isinstance(arn, dict) else [""]
    return str(named[0] if isinstance(named, list) else named.split(".")[0])


def _retention_s(queue: dict[str, Any]) -> int:
    return int(queue.get("MessageRetentionPeriod", _DEFAULT_RETENTION_S))
