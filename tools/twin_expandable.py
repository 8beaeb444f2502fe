"""Generates the fields of an answer that `expand` can name, from the library. `make schemas` runs it.

    python tools/twin_expandable.py SOURCES

SOURCES is the folder with the unpacked packages of `schemas/requirements.txt`. The library describes the answers of
today, so that a field that left Stripe's API can no longer be expanded.

The file has an entry for each kind of object that an operation answers, and for those that an `expand` of one of our
objects can reach. An entry maps a field to

    "customer"             the id of such an object, or such an object itself
    ["account", "card"]    the same with several kinds
    {field: …}             an object inside the object, or a list of them
    {"*": {field: …}}      a map with keys of the caller, such as currencies
    null                   anything else, which cannot be expanded
"""

import ast
import json
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from twin_answers import library_modules, read_answers

from paydispatch.domain.stripe.resources import RESOURCES

LEVELS = 4
"""The levels that Stripe expands."""

OUTPUT = Path(__file__).parents[1] / "functions/paydispatch/twin/objects/expandable.json"

Fields = dict[str, object]
"""A field's name, and the value that the docstring of this module describes."""

WRAPPERS = ("Optional", "List", "Sequence", "Union", "ExpandableField")
MAP = "UntypedStripeObject"
"""The type of a map: `UntypedStripeObject[CurrencyOptions]`."""


class Module(NamedTuple):
    """A module of the library: the class of its object, its kind, and the classes that it imports."""

    resource: ast.ClassDef
    kind: str
    imports: dict[str, str]
    """The module of each imported class, by its name in this module: `stripe._customer` for `Customer`."""


def main(sources: Path) -> None:
    kinds: dict[str, Fields] = {}
    answered = _answered_modules(sources)
    front = [_module_of(row.name) for row in RESOURCES]
    for _ in range(LEVELS + 1):
        found = {_read(sources, name).kind: name for name in front}
        new = {kind: name for kind, name in found.items() if kind not in kinds}
        trees = {kind: _Tree(sources, _read(sources, name)) for kind, name in new.items()}
        kinds |= {kind: tree.fields() for kind, tree in trees.items()}
        front = [name for tree in trees.values() for name in tree.reached]
    for name in answered:
        kinds.setdefault(_read(sources, name).kind, _Tree(sources, _read(sources, name)).fields())
    OUTPUT.write_text(_one_kind_a_line(kinds), encoding="utf-8")


def _answered_modules(sources: Path) -> list[str]:
    """Return the module of each object that an operation of the table answers, as far as the library has it."""
    modules = library_modules(sources)
    kinds = {kind for kinds in read_answers().values() for kind in kinds}
    return [modules[kind] for kind in sorted(kinds) if kind in modules]


def _module_of(object_name: str) -> str:
    *package, name = object_name.split(".")
    return ".".join(["stripe", *package, f"_{name}"])


@cache
def _read(sources: Path, name: str) -> Module:
    path = sources.joinpath(*name.split(".")).with_suffix(".py")
    module = ast.parse(path.read_text(encoding="utf-8"))
    imports = {
        alias.asname or alias.name: str(node.module)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    resource = next(
        node for node in module.body if isinstance(node, ast.ClassDef) and _kind(node) is not None
    )
    return Module(resource, str(_kind(resource)), imports)


def _kind(node: ast.ClassDef) -> str | None:
    """Return the `object` of the answers that the class describes, or None if it describes none."""
    for field in _annotated(node):
        if ast.unparse(field.target) == "OBJECT_NAME" and field.value is not None:
            return str(ast.literal_eval(field.value))
    return None


def _annotated(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [field for field in node.body if isinstance(field, ast.AnnAssign)]


class _Tree:
    """The fields of one kind. `reached` are the modules of the objects that they name."""

    def __init__(self, sources: Path, module: Module) -> None:
        self._sources = sources
        self._module = module
        self.reached: set[str] = set()

    def fields(self) -> Fields:
        return self._of(self._module.resource, {})

    def _of(self, node: ast.ClassDef, outer: dict[str, ast.ClassDef]) -> Fields:
        own = {inner.name: inner for inner in node.body if isinstance(inner, ast.ClassDef)}
        classes = {**outer, **own}
        return {
            ast.unparse(field.target): self._field(field.annotation, classes)
            for field in _annotated(node)
            if ast.unparse(field.target) != "OBJECT_NAME" and "ClassVar" not in ast.unparse(field)
        }

    def _field(self, annotation: ast.expr, classes: dict[str, ast.ClassDef]) -> object:
        """Return the value of a field. A list object has its elements in `data`."""
        members = _members(annotation)
        inside = [member for member in members if member in classes]
        if inside:
            fields = self._of(classes[inside[0]], classes)
            return {"*": fields} if MAP in members else fields
        kinds = sorted({kind for member in members for kind in self._reach(member)})
        named = (kinds[0] if len(kinds) == 1 else kinds) if kinds else None
        return {"data": named} if "ListObject" in members and named else named

    def _reach(self, member: str) -> list[str]:
        """Return the kind of the class of that name if it describes an answer, and note its module."""
        if member == self._module.resource.name:
            return [self._module.kind]
        name = self._module.imports.get(member, "")
        if not _is_object(self._sources, name):
            return []
        self.reached.add(name)
        return [_read(self._sources, name).kind]


@cache
def _is_object(sources: Path, name: str) -> bool:
    path = sources.joinpath(*name.split(".")).with_suffix(".py") if name else sources
    return path.is_file() and "OBJECT_NAME: ClassVar[" in path.read_text(encoding="utf-8")


def _members(node: ast.expr) -> list[str]:
    """Return the names in a type, without those that only wrap another type."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _members(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Subscript):
        head = ast.unparse(node.value)
        inner = [] if head == "Literal" else _members(node.slice)
        return inner if head in WRAPPERS else [head, *inner]
    if isinstance(node, ast.Tuple):
        return [name for element in node.elts for name in _members(element)]
    return [ast.unparse(node)]


def _one_kind_a_line(kinds: dict[str, Fields]) -> str:
    entries = ",\n".join(
        f"{json.dumps(kind)}:{json.dumps(fields, separators=(',', ':'), sort_keys=True)}"
        for kind, fields in sorted(kinds.items())
    )
    return f"{{\n{entries}\n}}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
