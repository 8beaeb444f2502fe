"""Reads the fields of Stripe's answers from the official library without importing it.

The library is newer than the document, so it has fields that the document lacks. A field that is `Optional[…]` in the
library is null in an answer that has no value for it.
"""

import ast
from pathlib import Path

from schemas.document import Schema

SCALARS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
DEPTH = 2
"""The levels of objects that are described. A deeper one has no fields."""


def nullable_fields(sources: Path, object_name: str) -> dict[str, Schema]:
    """Return the schema of each field that can be null, by its name."""
    *package, name = object_name.split(".")
    module = ast.parse(
        sources.joinpath("stripe", *package, f"_{name}.py").read_text(encoding="utf-8")
    )
    (resource, *_) = [node for node in module.body if isinstance(node, ast.ClassDef)]
    return _fields(resource, {}, DEPTH)


def all_fields(sources: Path, module_name: str) -> Schema:
    """Return the schema of an object that only the library has. `module_name` is such as `stripe.apps._install`."""
    path = sources.joinpath(*module_name.split(".")).with_suffix(".py")
    (resource, *_) = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    classes = {inner.name: inner for inner in resource.body if isinstance(inner, ast.ClassDef)}
    fields = _fields(resource, {}, DEPTH) | {
        ast.unparse(field.target): _shape_of_set_field(field.annotation, classes)
        for field in resource.body
        if isinstance(field, ast.AnnAssign) and _is_set(field)
    }
    return {
        "type": "object",
        "required": sorted(fields),
        "properties": dict(sorted(fields.items())),
    }


def _is_set(field: ast.AnnAssign) -> bool:
    text = ast.unparse(field)
    return not ("ClassVar" in text or "Optional[" in text or "Literal[True]" in text)


def _shape_of_set_field(annotation: ast.expr, classes: "Classes") -> Schema:
    """Return the schema of a field that is never null. A map has no fields of its own."""
    if ast.unparse(annotation).startswith(("UntypedStripeObject", "Dict")):
        return {"type": "object"}
    return _shapes(annotation, classes, DEPTH)[0]


Classes = dict[str, ast.ClassDef]


def _fields(node: ast.ClassDef, outer: Classes, depth: int) -> dict[str, Schema]:
    own = {inner.name: inner for inner in node.body if isinstance(inner, ast.ClassDef)}
    classes = {**outer, **own}
    annotated = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    return {
        ast.unparse(field.target): {**shape, "type": [shape["type"], "null"]}
        for field in annotated
        for inner in _optional(field.annotation)
        for shape in _shapes(inner, classes, depth)
    }


def _optional(annotation: ast.expr) -> list[ast.expr]:
    """Return the type inside `Optional[…]`, or nothing."""
    is_optional = (
        isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Optional"
    )
    return [annotation.slice] if is_optional else []  # type: ignore[attr-defined]


def _shapes(node: ast.expr, classes: Classes, depth: int) -> list[Schema]:
    """Return the schema of a type, or nothing for `Literal[True]`, which only marks a deleted object."""
    head = ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
    if head == "Literal" and "True" in ast.unparse(node):
        return []
    if head in ("List", "Sequence"):
        return [{"type": "array", "items": {"type": "string"}}]
    if head in classes:
        inner = _fields(classes[head], classes, depth - 1) if depth else {}
        return [{"type": "object", "required": sorted(inner), "properties": inner}]
    return [{"type": SCALARS.get(head, "string")}]
