"""Generates the kinds of objects that each operation of the table answers. `make schemas` runs it.

    python tools/twin_answers.py SOURCES

SOURCES is the folder with the unpacked packages of `schemas/requirements.txt`. The other generators of the twin read
`answers.json`, so that this one runs first.
"""

import json
import re
import sys
from pathlib import Path

from schemas.document import Schema, read_document

from paydispatch.domain.stripe.operations import Operation, all_operations

_OBJECT_NAME = re.compile(r'OBJECT_NAME: ClassVar\[Literal\["([\w.]+)"\]\]')
_DELETED = "deleted_"

OUTPUT = Path(__file__).parents[1] / "functions/paydispatch/twin/objects/answers.json"


def main(sources: Path) -> None:
    answers = answers_of_operations(read_document(sources), sources)
    lines = (f"{json.dumps(name)}:{json.dumps(kinds)}" for name, kinds in sorted(answers.items()))
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_answers() -> dict[str, list[str]]:
    """Return the generated kinds of objects that an operation may answer, by its name."""
    answers: dict[str, list[str]] = json.loads(OUTPUT.read_text("utf-8"))
    return answers


def answers_of_operations(document: Schema, sources: Path) -> dict[str, list[str]]:
    """Return the kinds that an operation may answer, by its name. A deleted object counts as its kind."""
    paths = {_shape(path): methods for path, methods in document["paths"].items()}
    components = document["components"]["schemas"]
    modules = {kind.replace(".", "_"): kind for kind in library_modules(sources)}
    answers: dict[str, list[str]] = {}
    for operation in all_operations():
        described = paths.get(_shape(operation.path), {}).get(operation.method.lower())
        if described is None:
            answers[operation.name] = [modules[operation.object.replace(".", "_")]]
        else:
            kinds = {kind.removeprefix(_DELETED) for kind in answered(described, components)}
            answers[operation.name] = sorted(kinds)
    return answers


def addresses_of_library(answers: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the addresses of the objects that only the library creates, with their kinds."""
    return {row.path: answers[row.name] for row in all_operations() if _is_new(row)}


def _is_new(operation: Operation) -> bool:
    return operation.creates and operation.sources == ("library",)


def answered(operation: Schema, components: dict[str, Schema]) -> list[str]:
    """Return the kinds of objects that an operation of the document may answer."""
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    return _kinds(content.get("application/json", {}).get("schema", {}), components)


def _kinds(schema: Schema, components: dict[str, Schema]) -> list[str]:
    if "anyOf" in schema:
        return [kind for branch in schema["anyOf"] for kind in _kinds(branch, components)]
    if "$ref" not in schema:
        return []
    name = schema["$ref"].rpartition("/")[2]
    return _kinds(components[name], components) if "anyOf" in components[name] else [name]


def library_modules(sources: Path) -> dict[str, str]:
    """Return the module of each object of the first version of the library's API: `{"charge": "stripe._charge"}`."""
    found = {}
    for path in sorted((sources / "stripe").rglob("_*.py")):
        name = _OBJECT_NAME.search(path.read_text(encoding="utf-8"))
        words = path.relative_to(sources).with_suffix("").parts
        if name is not None and "v2" not in words:
            found[name[1]] = ".".join(words)
    return found


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
