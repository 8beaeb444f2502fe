"""Names the Python types for the parts of a schema: the `TypedDict`s, the aliases, and the type of each field."""

import json
from collections import deque
from collections.abc import Iterator, Mapping

from document import Schema

Path = tuple[str, ...]

LONGEST_INLINE = 120
"""A list of values with more characters than this becomes an alias."""

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


class TypeNames:
    """The names of all nested types. Equal parts share a name, also across objects.

    A part is named after the first object that has it, so that a new object renames nothing.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """Name the parts of `schemas`: the parameters of each object by its name, in the order of the table."""
        self.dicts: dict[str, Schema] = {}
        """The schema of each `TypedDict` by its name, outermost first."""
        self.aliases: dict[str, str] = {}
        """The `Literal[…]` of each alias by its name."""
        self._names: dict[str, str] = {}
        for object_name, schema in schemas.items():
            for path, node in _breadth_first(schema):
                if path:
                    self._name(path, node, pascal(object_name))

    def annotation(self, node: Schema, module: str = "") -> str:
        """Return the type of a field. `module` is the prefix of the named types, such as `p.`."""
        name = self._names.get(_text(node))
        if name:
            return module + name
        if "anyOf" in node:
            return " | ".join(self.annotation(branch, module) for branch in node["anyOf"])
        if "const" in node:
            return f"{module}Unset"
        if "enum" in node:
            return _literal(node)
        if node.get("format") == "unix-time":
            return f"{module}Timestamp"
        if node["type"] == "array":
            return f"list[{self._of(node.get('items'), module)}]"
        if node["type"] == "object":
            return f"dict[str, {self._of(node.get('additionalProperties'), module)}]"
        return SCALARS[node["type"]]

    def _of(self, values: Schema | bool | None, module: str) -> str:
        if isinstance(values, dict):
            return self.annotation(values, module)
        return "Never" if values is False else "object"

    def _name(self, path: Path, node: Schema, prefix: str) -> None:
        if _text(node) in self._names:
            return
        if node.get("properties"):
            name = self._free(path, prefix)
            self.dicts[name] = node
        elif len(_literal(node)) > LONGEST_INLINE:
            name = self._free(path, prefix)
            self.aliases[name] = _literal(node)
        else:
            return
        self._names[_text(node)] = name

    def _free(self, path: Path, prefix: str) -> str:
        """Return the name of the field, with as many enclosing names before it as needed to make it unique."""
        for length in range(1, len(path) + 1):
            name = prefix + "".join(pascal(part) for part in path[-length:])
            if name not in self.dicts and name not in self.aliases:
                return name
        raise ValueError(f"Two types of {path} need the same name.")


def pascal(name: str) -> str:
    """Return a name in PascalCase: `payment_intent` → `PaymentIntent`."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace(".", "_").split("_"))


def _breadth_first(schema: Schema) -> Iterator[tuple[Path, Schema]]:
    waiting: deque[tuple[Path, Schema]] = deque([((), schema)])
    while waiting:
        path, node = waiting.popleft()
        yield path, node
        waiting.extend(_children(path, node))


def _children(path: Path, node: Schema) -> Iterator[tuple[Path, Schema]]:
    for name, field in node.get("properties", {}).items():
        yield (*path, name), field
    for branch in node.get("anyOf", ()):
        yield path, branch
    if "items" in node:
        yield (*path[:-1], _singular(path[-1])), node["items"]
    if isinstance(node.get("additionalProperties"), dict):
        yield (*path[:-1], _singular(path[-1])), node["additionalProperties"]


def _singular(name: str) -> str:
    return name.removesuffix("s") if not name.endswith("ss") else name


def _literal(node: Schema) -> str:
    return f"Literal[{', '.join(json.dumps(value) for value in node.get('enum', ()))}]"


def _text(node: Schema) -> str:
    return json.dumps(node)
