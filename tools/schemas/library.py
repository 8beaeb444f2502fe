"""Reads the typed parameters of the official `stripe` library without importing it.

The library has a `TypedDict` for each call and for each object inside it. They become a schema in the form that
`simplify` gives to the document's schema, so that `merge` can join the two.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

from document import Schema
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

Classes = dict[str, dict[str, ast.expr]]
"""The annotation of each field by its name, by the name of the class."""

ParamsType = tuple[str, str]
"""The module and the class of the parameters of a call. Both are empty for a call without parameters."""

NO_PARAMETERS: Schema = {"type": "object", "additionalProperties": False, "properties": {}}


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


def library_schema(sources: Path, params: ParamsType) -> Schema:
    """Return the schema of the parameters of a call."""
    module, name = params
    return _class(name, library_classes(sources, module)) if name else NO_PARAMETERS


def library_meanings(sources: Path, params: ParamsType) -> dict[str, str]:
    """Return the docstring of each top-level parameter that has one."""
    module, name = params
    (found,) = [node for node in _class_nodes(sources, module) if node.name == name]
    return {
        ast.unparse(field.target): ast.literal_eval(text.value)
        for field, text in pairwise(found.body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def library_annotations(sources: Path, params: ParamsType) -> dict[str, dict[str, str]]:
    """Return the annotation of each field of each class, as the library writes it. The call's own class is first."""
    module, own = params
    if not own:
        return {"NoParams": {}}
    classes = library_classes(sources, module)
    return {
        name: {field: ast.unparse(annotation) for field, annotation in classes[name].items()}
        for name in [own, *sorted(classes.keys() - {own})]
    }


def annotated_fields(sources: Path, params: ParamsType) -> dict[str, bool]:
    """Return the parameters of a call, and whether each is required."""
    module, name = params
    fields = library_classes(sources, module)[name] if name else {}
    return {name: _unwrap(annotation) is annotation for name, annotation in fields.items()}


@cache
def library_classes(sources: Path, module: str) -> Classes:
    """Return the fields of each class of a module, without the fields of the library's own options."""
    keywords = _keyword_fields(_module(sources, module))
    return {
        node.name: {
            **{
                name: field
                for base in node.bases
                for name, field in keywords.get(ast.unparse(base), {}).items()
            },
            **{ast.unparse(field.target): field.annotation for field in _annotations(node)},
        }
        for node in _class_nodes(sources, module)
    }


def _keyword_fields(tree: ast.Module) -> Classes:
    """Return the fields of each base class that is written as a call, because a field's name is a word of Python.

    `_Base = TypedDict("_Base", {"in": NotRequired["Other"]})`
    """
    return {
        ast.unparse(node.targets[0]): dict(
            zip(map(ast.literal_eval, fields.keys), fields.values, strict=True)  # type: ignore[arg-type]
        )
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for fields in node.value.args
        if isinstance(fields, ast.Dict)
    }


@cache
def _module(sources: Path, module: str) -> ast.Module:
    return ast.parse((sources / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))


def _class_nodes(sources: Path, module: str) -> list[ast.ClassDef]:
    return [node for node in _module(sources, module).body if isinstance(node, ast.ClassDef)]


def _class(name: str, classes: Classes) -> Schema:
    """Return the schema of a class without the fields of its bases, which are options of the library's call."""
    fields = classes[name]
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
