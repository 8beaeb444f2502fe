"""Loads template.yaml as plain dictionaries: `!Ref X` becomes `{"Ref": "X"}`, and `Globals` are merged in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """The parameters, resources and outputs of template.yaml."""

    parameters: dict[str, Any]
    resources: dict[str, Any]
    """Each resource by its name: `{"Type": …, "Properties": …}`."""
    outputs: dict[str, dict[str, Any]]
    """Each output by its name: `{"Description": …, "Value": …}`."""
    conditions: dict[str, Any]
    mappings: dict[str, Any]

    def of_type(self, type_name: str) -> dict[str, dict[str, Any]]:
        """Return the properties of each resource of one type by its name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == type_name
        }

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        return self.of_type("AWS::Serverless::Function")

    @property
    def queues(self) -> dict[str, dict[str, Any]]:
        return self.of_type("AWS::SQS::Queue")

    def environment(self, function: str) -> dict[str, Any]:
        """Return the variables of a function. A value that is not a literal is an intrinsic function."""
        variables: dict[str, Any] = self.functions[function]["Environment"]["Variables"]
        return variables

    def default_of(self, value: Any) -> Any:
        """Return a literal unchanged, the default of a referenced parameter, and None for any other value."""
        if not isinstance(value, dict):
            return value
        return self.parameters.get(value.get("Ref", ""), {}).get("Default")


def load(path: Path = TEMPLATE) -> StackTemplate:
    content = yaml.load(path.read_text(), Loader=_CloudFormation)  # noqa: S506 - it is a SafeLoader, which makes no objects # nosec B506
    resources = content["Resources"]
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"] = _merge(content["Globals"]["Function"], resource["Properties"])
    others = (content.get(part, {}) for part in ("Outputs", "Conditions", "Mappings"))
    return StackTemplate(content.get("Parameters", {}), resources, *others)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge two maps by SAM's rule for `Globals`: maps are merged, and other values are replaced."""
    both = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merge(below[key], above[key])
    return both


class _CloudFormation(yaml.SafeLoader):  # type: ignore[misc]
    """A loader for the short forms `!Ref`, `!GetAtt A.B`, `!Sub` …"""


def _intrinsic(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    build = {"scalar": "construct_scalar", "sequence": "construct_sequence"}
    kind = build.get(node.id, "construct_mapping")
    value = getattr(loader, kind)(node, **({} if node.id == "scalar" else {"deep": True}))
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_CloudFormation.add_multi_constructor("!", _intrinsic)
