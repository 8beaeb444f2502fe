"""Checks that every log group has a retention, and that every function writes to a log group of the stack."""

from __future__ import annotations

from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]

_FUNCTIONS = ["AWS::Serverless::Function", "AWS::Lambda::Function"]


class LogRetention(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9005"
    shortdesc = "Every log group has a retention"
    description = "Without a retention, logs are kept and paid for forever."
    tags = ("logs",)

    def match(self, cfn: Any) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} has no RetentionInDays")
            for name, group in cfn.get_resources(["AWS::Logs::LogGroup"]).items()
            if "RetentionInDays" not in group.get("Properties", {})
        ]


class OwnLogGroup(CloudFormationLintRule):  # type: ignore[misc]
    id = "E9006"
    shortdesc = "Every function writes to a log group of the stack"
    description = "Otherwise Lambda creates a log group that never expires and outlives the stack."
    tags = ("logs", "lambda")

    def match(self, cfn: Any) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} has no LoggingConfig.LogGroup")
            for name, function in cfn.get_resources(_FUNCTIONS).items()
            if "LogGroup" not in function.get("Properties", {}).get("LoggingConfig", {})
        ]
