"""Decides as IAM does whether a resource policy allows a call.

It knows only the parts of IAM that this stack's policies use.

A role stands for itself by its name, such as `ApiFunctionRole`. Another role of the account has any name, and every
right that the resource policy leaves to its own IAM policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

ACCOUNT = {"Ref": "AWS::AccountId"}


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, and the way of the call."""

    role: str
    own_account: bool = True
    tls: bool = True
    service: bool = False
    source: str = ""
    """The resource for which a service calls."""
    context: dict[str, str] = field(default_factory=dict)
    """The encryption context."""

    def values(self) -> dict[str, Any]:
        known = {f"kms:EncryptionContext:{name}": value for name, value in self.context.items()}
        return known | {
            "aws:PrincipalArn": self.role,
            "aws:SourceArn": self.source,
            "aws:PrincipalAccount": "AWS::AccountId" if self.own_account else "another",
            "aws:SecureTransport": str(self.tls).lower(),
            "aws:PrincipalIsAWSService": str(self.service).lower(),
        }


def is_denied(policy: list[dict[str, Any]], action: str, caller: Caller) -> bool:
    """Return whether a statement of the policy denies the call. Other policies cannot allow it then."""
    return any(_applies(s, action, caller) for s in policy if s["Effect"] == "Deny")


def is_allowed(policy: list[dict[str, Any]], action: str, caller: Caller) -> bool:
    """Return whether the policy allows the call, to the caller itself or to the account with every right of its own."""
    return not is_denied(policy, action, caller) and any(
        _applies(s, action, caller) for s in policy if s["Effect"] == "Allow"
    )


def _applies(statement: dict[str, Any], action: str, caller: Caller) -> bool:
    actions = statement["Action"]
    patterns = [actions] if isinstance(actions, str) else actions
    return (
        any(fnmatchcase(action, pattern) for pattern in patterns)
        and _names(statement["Principal"], caller)
        and all(_holds(*condition, caller) for condition in statement.get("Condition", {}).items())
    )


def _names(principal: Any, caller: Caller) -> bool:
    if principal == "*":
        return True
    if "Service" in principal:
        return caller.service
    named = principal["AWS"] if isinstance(principal["AWS"], list) else [principal["AWS"]]
    whole_account = any("Fn::Sub" in name for name in named)
    return (whole_account and caller.own_account) or caller.role in map(_role, named)


def _holds(operator: str, tests: dict[str, Any], caller: Caller) -> bool:
    return all(_holds_for(operator, key, wanted, caller.values()) for key, wanted in tests.items())


def _holds_for(operator: str, key: str, wanted: Any, values: dict[str, Any]) -> bool:
    is_one = values.get(key) in map(_role, wanted if isinstance(wanted, list) else [wanted])
    return not is_one if "NotEquals" in operator else is_one


def _role(name: Any) -> str:
    """Return `ApiFunctionRole` for `!GetAtt ApiFunctionRole.Arn`, and a text as it is."""
    if isinstance(name, str):
        return name
    return str(name["Fn::GetAtt"][0] if "Fn::GetAtt" in name else name.get("Ref", name))
