"""Reads the typed parameters of the official `stripe` library without importing it."""

import ast
from pathlib import Path

from fields import Field, Fields
from naming import pascal

SCALARS = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "Decimal": "decimal",
}


def library_fields(sources: Path, object_name: str) -> Fields:
    """Return every parameter of the create call by its path."""
    *package, name = object_name.split(".")
    path = sources.joinpath("stripe", "params", *package, f"_{name}_create_params.py")
    module = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    fields: Fields = {}
    _class("", f"{pascal(name)}CreateParams", classes, fields)
    return fields


Classes = dict[str, ast.ClassDef]


def _class(path: str, name: str, classes: Classes, fields: Fields) -> None:
    for field in _annotations(classes[name]):
        wanted, required = _unwrap(field.annotation)
        _field(f"{path}.{ast.unparse(field.target)}".lstrip("."), wanted, required, classes, fields)


def _annotations(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]


def _unwrap(annotation: ast.expr) -> tuple[ast.expr, bool]:
    """Return the type inside `NotRequired[…]`, and whether the field is required."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "NotRequired":
        return annotation.slice, False
    return annotation, True


def _field(path: str, node: ast.expr, required: bool, classes: Classes, fields: Fields) -> None:
    kinds = fields.setdefault(path, Field(required)).kinds
    for branch in _branches(node):
        kinds |= _kinds(branch, classes)
        _below(path, branch, classes, fields)
    if "string" in kinds:
        kinds.discard('""')


def _branches(node: ast.expr) -> list[ast.expr]:
    """Return the members of a union, in any of the notations that the library uses."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _branches(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp):
        return _branches(node.left) + _branches(node.right)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Union":
        return [branch for part in _arguments(node) for branch in _branches(part)]
    return [node]


def _kinds(node: ast.expr, classes: Classes) -> set[str]:
    name = ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
    if name == "Literal" and isinstance(node, ast.Subscript):
        return {f'"{ast.literal_eval(value)}"' for value in _arguments(node)}
    if name in classes or name in ("Dict", "UntypedStripeObject"):
        return {"object"}
    return {"array" if name == "List" else SCALARS.get(name, name)}


def _below(path: str, node: ast.expr, classes: Classes, fields: Fields) -> None:
    name = ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
    if name in classes:
        _class(path, name, classes, fields)
    elif name == "List" and isinstance(node, ast.Subscript):
        _field(f"{path}[]", node.slice, False, classes, fields)
    elif name == "Dict" and isinstance(node, ast.Subscript):
        _field(f"{path}.*", _arguments(node)[1], False, classes, fields)


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
