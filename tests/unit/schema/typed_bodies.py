"""Random bodies, made from the typed parameters of Stripe's official library.

This module does not use our generated schemas. `tests/data/library_writes.json.gz` holds the annotations as the library
writes them: `{"version", "operations": {name: {class: {field: annotation}}}}`. The class of the parameters is the first
of its operation. The numbers and the security codes of cards are left out, because the check refuses them.
"""

from __future__ import annotations

import ast
import gzip
import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.unit.schema.bodies import CARD
from tests.unit.schema.repairs import repair
from tests.unit.schema.spoiling import Fault, remove_item, set_item

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRACT = Path(__file__).parents[2] / "data" / "library_writes.json.gz"
DEEPEST = 6
SHORT_TEXTS = ("a", "7%", "é", "[]")
"""The library has no lengths, so each text is short enough for every field."""

Body = dict[str, Any]
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Type:
    """One member of a union: `str`, `Literal`, `List`, `Dict`, the name of a class …"""

    head: str
    values: tuple[str, ...] = ()
    inner: Union = ()


Union = tuple[Type, ...]


@dataclass(frozen=True)
class Field:
    types: Union
    required: bool

    @property
    def values(self) -> set[str]:
        """The values of an enumeration. `Literal["a"] | str` is one: the library writes `str` for later values."""
        return {value for each in self.types for value in each.values}

    @property
    def heads(self) -> set[str]:
        """The types that a value may have. `str` beside the values of an enumeration is none."""
        heads = {each.head for each in self.types}
        return heads - {"str"} if self.values - {""} else heads


@cache
def extract() -> Any:
    return json.loads(gzip.decompress(EXTRACT.read_bytes()))


def read_annotation(text: str) -> Field:
    node = ast.parse(text, mode="eval").body
    optional = isinstance(node, ast.Subscript) and ast.unparse(node.value) == "NotRequired"
    return Field(_union(node.slice if optional else node), required=not optional)  # type: ignore[attr-defined]


def _union(node: ast.expr) -> Union:
    if isinstance(node, ast.Constant):
        return _union(ast.parse(node.value, mode="eval").body)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp):
        return _union(node.left) + _union(node.right)
    if not isinstance(node, ast.Subscript):
        return (Type(ast.unparse(node)),)
    head = ast.unparse(node.value)
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if head == "Union":
        return tuple(each for part in arguments for each in _union(part))
    if head == "Literal":
        return (Type(head, values=tuple(ast.literal_eval(part) for part in arguments)),)
    return (Type(head, inner=_union(arguments[-1])),)


class TypedBodies:
    """A seeded source of bodies of one operation."""

    def __init__(self, operation: str, seed: int) -> None:
        self.random = random.Random(f"{operation} {seed}")
        self._operation = operation
        self._classes = {
            name: {field: read_annotation(text) for field, text in fields.items()}
            for name, fields in extract()["operations"][operation].items()
        }
        self._root = next(iter(self._classes))

    def valid(self) -> Body:
        """Return a body that the types and the rules across fields allow."""
        return repair(self._operation, self._object(self._root, 0))

    def spoilt(self) -> tuple[Body, Fault]:
        """Return a body with one fault, and the fault."""
        body = self.valid()
        kinds: dict[str, list[Fault]] = {}
        for fault in self._faults_in(body, self._root, ()):
            kinds.setdefault(fault.kind, []).append(fault)
        fault = self.random.choice(kinds[self.random.choice(sorted(kinds))])
        container: Any = body
        for step in fault.path[:-1]:
            container = container[step]
        fault.apply(container)
        return body, fault

    # Values

    def _object(self, class_name: str, depth: int) -> Body:
        share = 0.5 / (depth + 1) if depth < DEEPEST else 0
        fields = self._classes[class_name].items()
        return {
            name: self._value(field, name, depth + 1)
            for name, field in fields
            if field.required or self.random.random() < share
            if name not in CARD or not depth
            if self._heads(field)
        }

    def _value(self, field: Field, name: str, depth: int) -> Any:
        head = self.random.choice(self._heads(field))
        inner = next(each.inner for each in field.types if each.head == head)
        if head in self._classes:
            return self._object(head, depth)
        if head == "Literal":
            return self.random.choice(sorted(field.values))
        if head == "List":
            size = self.random.randint(1, 3)
            return [self._value(Field(inner, False), "", depth + 1) for _ in range(size)]
        if head in ("Dict", "UntypedStripeObject"):
            keys = self.random.sample(("eur", "jpy", "gbp"), self.random.randint(0, 3))
            return {key: self._value(Field(inner, False), "", depth + 1) for key in keys}
        return self._scalar(head, name)

    def _heads(self, field: Field) -> list[str]:
        """Return the types that a value may have, without those that are the number of a card."""
        return sorted(head for head in field.heads if not self._is_card(head))

    def _is_card(self, head: str) -> bool:
        """Return whether a class requires the number or the security code of a card, at any depth."""
        fields = self._classes.get(head, {}).items() if head != self._root else ()
        return any(
            field.required and (name in CARD or not self._heads(field)) for name, field in fields
        )

    def _scalar(self, head: str, name: str) -> Any:
        if head == "str" and name.endswith("currency"):
            return self.random.choice(("usd", "eur", "jpy"))
        choices: dict[str, tuple[Any, ...]] = {
            "str": SHORT_TEXTS,
            "int": (0, 1, 12, 4_102_444_800 if name != "amount" else 99_999_999),
            "float": (0, 5, 12.5, 100),
            "bool": (True, False),
            "Decimal": ("0", "12", "12.5", "0.000000000001"),
        }
        return self.random.choice(choices[head])

    # Faults

    def _faults_in(self, body: Body, class_name: str, path: Path_) -> Iterator[Fault]:
        fields = self._classes[class_name]
        name = f"{self.random.choice(sorted(fields) or ['nothing'])}_{self.random.choice('qxz')}"
        yield Fault((*path, name), "unknown name", set_item(name, "x"))
        for name, field in fields.items():
            if name in body:
                yield from self._faults_of(body[name], field, (*path, name))
                if field.required:
                    yield Fault((*path, name), "missing required", remove_item(name))

    def _faults_of(self, value: Any, field: Field, path: Path_) -> Iterator[Fault]:
        if field.values - {""} and "int" not in field.heads:
            yield Fault(path, "wrong enum", set_item(path[-1], "not_one_of_these"))
        yield Fault(path, "wrong shape", set_item(path[-1], self._misshapen(field)))
        for each in field.types:
            if each.head in self._classes and isinstance(value, dict):
                yield from self._faults_in(value, each.head, path)
            if each.head == "List" and isinstance(value, list):
                for index, entry in enumerate(value):
                    yield from self._faults_of(entry, Field(each.inner, False), (*path, index))
            if each.head == "Dict" and isinstance(value, dict):
                for key, entry in value.items():
                    yield from self._faults_of(entry, Field(each.inner, False), (*path, key))

    def _misshapen(self, field: Field) -> Any:
        """Return an object, a list or a text, whichever the field cannot have."""
        wrong: list[Any] = []
        maps = {"Dict", "UntypedStripeObject", *self._classes}
        if not field.heads & maps:
            wrong.append({"a": "b"})
        if "List" not in field.heads:
            wrong.append(["x"])
        if field.heads <= maps | {"List"}:
            wrong.append("text")
        return self.random.choice(wrong)
