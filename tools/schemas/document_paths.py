"""Reads every call of Stripe's OpenAPI document, and names the calls that the library does not have.

The document names no methods and no objects that a program would use. Both follow from the path.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from document import FORM, Schema

METHODS = ("get", "post", "delete")


@dataclass(frozen=True)
class DocumentCall:
    """One call of the document."""

    method: str
    path: str
    operation: Schema
    """The document's description of the call."""

    @property
    def request(self) -> Schema:
        """The schema of the parameters. A call without parameters has an object without properties."""
        body = self.operation.get("requestBody", {}).get("content", {})
        schema: Schema = body.get(FORM, {}).get("schema", {"type": "object", "properties": {}})
        return schema

    @property
    def is_upload(self) -> bool:
        return "multipart/form-data" in self.operation.get("requestBody", {}).get("content", {})

    @property
    def answer(self) -> Schema:
        schema: Schema = self.operation["responses"]["200"]["content"]["application/json"]["schema"]
        return schema


def document_calls(document: Schema) -> Iterator[DocumentCall]:
    """Yield the v1 calls of the document, in its order."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods and path.startswith("/v1/"):
                yield DocumentCall(method.upper(), path, methods[method])


def anonymous(path: str) -> str:
    """Return a path without the names of its parameters, because the sources may name them differently."""
    return re.sub(r"\{\w+\}", "{}", path)


def name_of_path(method: str, path: str, paths: Collection[str]) -> tuple[str, str]:
    """Return the object and the verb of a call: `("charge_refund", "create")` of `POST /v1/charges/{charge}/refunds`.

    A word after an id is a collection if `paths` continue it with an id, and an object if they continue it with a word.
    Any other word there is a verb: `/v1/charges/{charge}/refund` is `("charge", "refund")`.
    """
    words = path.removeprefix("/v1/").split("/")
    last = len(words) - 1
    if _is_id(words[last]):
        return _object(words[:last]), "update" if method == "POST" else "delete"
    if last > 0 and _is_id(words[last - 1]) and method == "DELETE":
        return _object(words[: last - 1]), f"delete_{words[last]}"
    if not any(_is_id(word) for word in words) or _goes_on(paths, f"{path}/{{"):
        return _object(words), "create"
    if _goes_on(paths, f"{path}/"):
        return _object(words), "update"
    return _object(words[:last]), words[last]


def _goes_on(paths: Collection[str], start: str) -> bool:
    return any(path.startswith(start) for path in paths)


def _is_id(word: str) -> bool:
    return word.startswith("{")


def _object(words: list[str]) -> str:
    """Return the words in the singular, without the ids. A namespace before the first collection keeps its form."""
    names = [word for word in words if not _is_id(word)]
    first = next((index for index, word in enumerate(words) if _is_id(word)), len(words)) - 1
    return "_".join(_singular(name) if index >= first else name for index, name in enumerate(names))


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word.removesuffix("s")
