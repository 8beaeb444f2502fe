"""Shows a template as CloudFormation would see it with given parameters: conditions are decided, references stay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stack_template import StackTemplate

NO_VALUE = {"Ref": "AWS::NoValue"}


def choose(stack: StackTemplate, **parameters: str) -> StackTemplate:
    """Return the resources and outputs that exist with these parameters, and the defaults of the others."""
    defaults = {name: p.get("Default", "") for name, p in stack.parameters.items()}
    choice = _Choice(stack.conditions, defaults | parameters)
    return replace(
        stack,
        resources=choice.existing(stack.resources),
        outputs=choice.existing(stack.outputs),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    conditions: dict[str, Any]
    parameters: dict[str, Any]

    def existing(self, named: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.resolve(thing)
            for name, thing in named.items()
            if "Condition" not in thing or self.holds({"Condition": thing["Condition"]})
        }

    def resolve(self, value: Any) -> Any:
        """Decide each `Fn::If` in `value`, and leave out what has no value."""
        if isinstance(value, dict):
            if value.keys() == {"Fn::If"}:
                condition, yes, no = value["Fn::If"]
                return self.resolve(yes if self.holds({"Condition": condition}) else no)
            resolved = {key: self.resolve(inner) for key, inner in value.items()}
            return {key: inner for key, inner in resolved.items() if inner != NO_VALUE}
        if isinstance(value, list):
            return [inner for inner in map(self.resolve, value) if inner != NO_VALUE]
        return value

    def holds(self, condition: dict[str, Any]) -> bool:
        ((function, of),) = condition.items()
        match function:
            case "Condition":
                return self.holds(self.conditions[of])
            case "Fn::Not":
                return not self.holds(of[0])
            case "Fn::And":
                return all(map(self.holds, of))
            case "Fn::Or":
                return any(map(self.holds, of))
            case "Fn::Equals":
                left, right = map(self._text, of)
                return left == right
        raise ValueError(f"There is no rule for {function}")

    def _text(self, value: Any) -> str:
        if isinstance(value, dict) and "Ref" in value:
            return str(self.parameters[value["Ref"]])
        if isinstance(value, dict) and "Fn::Join" in value:
            between, parts = value["Fn::Join"]
            inner = self._text(parts)
            return str(between).join(inner.split(","))
        return str(value)
