"""Reads the typed parameters of the official `stripe` library without importing it.

The library has a `TypedDict` for each create and for each object inside it. They become a schema in the form that
`simplify` gives to the document's schema, so that `merge` can join the two.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

from document import Schema
from naming import pascal
from simplify import METADATA, PATTERNS, UNSET

SCALARS: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Decimal": {"type": "string", "format": "decimal", "pattern": PATTERNS["decimal"]},
}
MAPS = ("Dict", "UntypedStripeObject")
"""Two types of the same map: `Dict[str, int]` and `UntypedStripeObject[int]`."""

Classes = dict[str, ast.ClassDef]


def library_version(sources: Path) -> str:
    """Return the version of Stripe's API that the library is made for."""
    module = ast.parse((sources / "stripe/_api_version.py").read_text(encoding="utf-8"))
    (version,) = (
        node.value.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "CURRENT"
        and isinstance(node.value, ast.Constant)
    )
    return str(version)


def library_schema(sources: Path, object_name: str) -> Schema:
    """Return the schema of the create's parameters."""
    return _class(_root(object_name), library_classes(sources, object_name))


def library_meanings(sources: Path, object_name: str) -> dict[str, str]:
    """Return the docstring of each top-level parameter that has one."""
    body = library_classes(sources, object_name)[_root(object_name)].body
    return {
        ast.unparse(field.target): ast.literal_eval(text.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def library_annotations(sources: Path, object_name: str) -> dict[str, dict[str, str]]:
    """Return the annotation of each field of each class, as the library writes it. The create's class is first."""
    classes = library_classes(sources, object_name)
    names = [_root(object_name), *sorted(classes.keys() - {_root(object_name)})]
    return {
        name: {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
        for name, fields in ((name, _annotations(classes[name])) for name in names)
    }


@cache
def annotated_fields(sources: Path, params: tuple[str, str]) -> dict[str, bool]:
    """Return the parameters in the class `params` of a module, and whether each is required."""
    module, name = params
    if not name:
        return {}
    tree = ast.parse((sources / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) if node.name == name]
    fields = {ast.unparse(field.target): field.annotation for field in _annotations(found)}
    return {name: _unwrap(annotation) is annotation for name, annotation in fields.items()}


@cache
def library_classes(sources: Path, object_name: str) -> Classes:
    *package, name = object_name.split(".")
    path = sources.joinpath("stripe", "params", *package, f"_{name}_create_params.py")
    module = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}


def _root(object_name: str) -> str:
    return f"{pascal(object_name.rpartition('.')[2])}CreateParams"


def _class(name: str, classes: Classes) -> Schema:
    """Return the schema of a class without the fields of its bases, which are options of the library's call."""
    fields = {ast.unparse(field.target): field.annotation for field in _annotations(classes[name])}
    wanted = {field: _unwrap(annotation) for field, annotation in fields.items()}
    required = [field for field in fields if wanted[field] is fields[field]]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "additionalProperties": False,
        "properties": {field: _schema(wanted[field], field, classes) for field in sorted(wanted)},
    }


def _annotations(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]


def _unwrap(annotation: ast.expr) -> ast.expr:
    """Return the type inside `NotRequired[…]`. A required field has its type alone."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "NotRequired":
        return annotation.slice
    return annotation


def _schema(node: ast.expr, name: str, classes: Classes) -> Schema:
    members = list(_members(node))
    branches = [*_texts(members), *_others(members, name, classes)]
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def _members(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the members of a union, in any of the notations that the library uses."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _members(ast.parse(node.value, mode="eval").body)
    elif isinstance(node, ast.BinOp):
        yield from (*_members(node.left), *_members(node.right))
    elif _head(node) == "Union":
        for part in _arguments(node):
            yield from _members(part)
    else:
        yield node


def _texts(members: list[ast.expr]) -> Iterator[Schema]:
    """Yield the schema of the members that are text.

    `Literal["a", "b"] | str` is an enumeration: the library adds `str` so that it can name no value too few.
    `Literal[""] | str` is a text that may be unset.
    """
    literals = [value for node in members if _head(node) == "Literal" for value in _values(node)]
    if set(literals) - {""}:
        yield {"enum": sorted(literals)}
    elif any(_head(node) == "str" for node in members):
        yield SCALARS["str"]
    elif literals:
        yield UNSET


def _others(members: list[ast.expr], name: str, classes: Classes) -> Iterator[Schema]:
    heads = [_head(node) for node in members]
    for node, head in zip(members, heads, strict=True):
        if head in MAPS and head != next(other for other in heads if other in MAPS):
            continue  # the second type of the same map
        if head not in ("Literal", "str"):
            yield _other(node, head, name, classes)


def _other(node: ast.expr, head: str, name: str, classes: Classes) -> Schema:
    if head in classes:
        return _class(head, classes)
    if head in MAPS:
        values = _schema(_arguments(node)[-1], "", classes)
        is_metadata = name == "metadata"
        return METADATA if is_metadata else {"type": "object", "additionalProperties": values}
    if head == "List":
        return {"type": "array", "items": _schema(_arguments(node)[0], "", classes)}
    return SCALARS[head]


def _head(node: ast.expr) -> str:
    """Return the name of a type without its arguments."""
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)


def _arguments(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.Subscript):
        return []
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _values(node: ast.expr) -> list[str]:
    return [ast.literal_eval(value) for value in _arguments(node)]
