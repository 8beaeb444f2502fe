"""Joins the writes of the document and of the library to the table of operations.

Each write is one row with one name. The library names it, and a write that only the document has is named by its path.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from document import Schema
from document_paths import DocumentCall, anonymous, document_calls, name_of_path
from left_out import SAME_CALL, Write, reason_against
from library import annotated_fields
from services import Call, library_calls

DOTTED = {"checkout_session": "checkout.session"}
"""Objects whose name in messages and answers has a dot, because it had one before the table of operations."""

CLOCKS = ("test_clock", "customer", "customer_account")
"""The parameters that may put a new object on a test clock."""

MORE_CREATES = frozenset({"report_payment_payment_record", "reverse_payout"})
"""Writes that make a new object, although their method is not named `create`.

(https://docs.stripe.com/api/payment-record/report-payment, https://docs.stripe.com/api/payouts/reverse)
"""

NO_CREATES = frozenset({"create_preview_invoice"})
"""Writes whose answer is no stored object. (https://docs.stripe.com/api/invoices/create_preview)"""


@dataclass(frozen=True)
class Sources:
    """What the document and the library say about one write. At least one of them knows it."""

    name: str
    object: str
    path: str
    documented: DocumentCall | None
    typed: Call | None

    @property
    def method(self) -> str:
        known = self.typed or self.documented
        return known.method if known else ""

    @property
    def known_by(self) -> list[str]:
        both = {"document": self.documented, "library": self.typed}
        return [source for source, call in both.items() if call]


@dataclass(frozen=True)
class Table:
    operations: list[Sources]
    left_out: list[tuple[Sources, str]]
    """The other writes, each with the reason."""


class Calls:
    """The calls of both sources, by method and path."""

    def __init__(self, document: Schema, sources: Path) -> None:
        self.sources = sources
        self.document = document
        self.documented = {_key(call): call for call in document_calls(document)}
        self.typed: dict[tuple[str, str], list[Call]] = {}
        for call in library_calls(sources):
            self.typed.setdefault(_key(call), []).append(call)

    def fields(self, method: str, path: str) -> dict[str, bool]:
        """Return the parameters of a call, and whether each is required. The library's word counts before the other."""
        key = (method, anonymous(path))
        if key in self.typed:
            return annotated_fields(self.sources, self.typed[key][0].params)
        documented = self.documented.get(key)
        if documented is None:
            return {}
        required = documented.request.get("required", ())
        body = {name: name in required for name in documented.request["properties"]}
        return body | {
            parameter["name"]: parameter.get("required", False)
            for parameter in documented.operation.get("parameters", ())
            if parameter["in"] == "query"
        }

    def has_list(self, path: str) -> bool:
        key = ("GET", anonymous(path))
        if key in self.typed:
            return any(call.answer.startswith("ListObject[") for call in self.typed[key])
        documented = self.documented.get(key)
        return documented is not None and "has_more" in documented.answer.get("properties", {})

    def answer_fields(self, method: str, path: str) -> frozenset[str]:
        """Return the fields of the answer in the document, and nothing for an answer of several kinds."""
        documented = self.documented.get((method, anonymous(path)))
        name = documented.answer.get("$ref", "").rpartition("/")[2] if documented else ""
        schemas = self.document["components"]["schemas"]
        return frozenset(schemas[name].get("properties", ()) if name else ())


def read_table(calls: Calls) -> Table:
    """Return the operations in the order of their names, and the other v1 writes."""
    writes = sorted(_writes(calls), key=lambda write: (write.name, write.path))
    judged = [(write, reason_against(_as_write(write))) for write in writes]
    kept = [write for write, reason in judged if not reason]
    names = [write.name for write in kept]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two writes have the same name: {', '.join(twice)}.")
    return Table(kept, [(write, reason) for write, reason in judged if reason])


def rows(calls: Calls, operations: Iterable[Sources]) -> dict[str, dict[str, Any]]:
    """Return the row of each operation by its name, as the package reads it."""
    return {write.name: _row(calls, write) for write in operations}


def left_out_calls(left_out: Iterable[tuple[Sources, str]]) -> dict[str, list[str]]:
    """Return the other writes by their reason: `POST /v1/files`. A call that is an operation too is not among them."""
    reasons: dict[str, list[str]] = {}
    for write, reason in left_out:
        if write.name not in SAME_CALL:
            reasons.setdefault(reason, []).append(f"{write.method} {write.path}")
    return reasons


def _row(calls: Calls, write: Sources) -> dict[str, Any]:
    creates = _creates(write)
    fields = calls.fields(write.method, write.path)
    row = {
        "object": DOTTED.get(write.object, write.object),
        "method": write.method,
        "path": write.path,
        "sources": write.known_by,
        "creates": creates,
        "marked": creates and "metadata" in fields,
        "list": _list(calls, write) if creates and calls.has_list(write.path) else False,
    }
    return {name: value for name, value in row.items() if value or value == {}}


def _list(calls: Calls, write: Sources) -> dict[str, Any]:
    """Return the facts about the list of the objects that an operation creates."""
    filters = calls.fields("GET", write.path)
    on_clock = "test_clock" in calls.answer_fields(write.method, write.path)
    params = calls.fields(write.method, write.path)
    clocks = [name for name in CLOCKS if on_clock and name in params and name in filters]
    facts = {
        "dated": "created" in filters,
        "halved": "active" in filters,
        "clocked_by": clocks,
        "needs": [name for name, required in filters.items() if required],
    }
    return {name: fact for name, fact in facts.items() if fact}


def _creates(write: Sources) -> bool:
    if write.name in NO_CREATES:
        return False
    named = write.name.startswith("create_") or write.name in MORE_CREATES
    return write.method == "POST" and named


def _writes(calls: Calls) -> Iterator[Sources]:
    """Yield every v1 write. A write that the library has in two places comes twice."""
    paths = [call.path for call in calls.documented.values()]
    for key in sorted(calls.documented.keys() | calls.typed.keys()):
        if key[0] == "GET":
            continue
        documented = calls.documented.get(key)
        for typed in calls.typed.get(key, [None]):  # type: ignore[list-item]
            known = documented or typed
            if typed:
                object_name, name = typed.object, _operation_name(typed.object, typed.name)
            else:
                object_name, verb = name_of_path(known.method, known.path, paths)
                name = _operation_name(object_name, verb)
            yield Sources(name, object_name, known.path, documented, typed)


def _operation_name(object_name: str, verb: str) -> str:
    """Return the name of an operation. A verb that holds the object is the name: `finalize_invoice`."""
    holds = f"_{object_name}_" in f"_{verb}_"
    return verb if holds else f"{verb}_{object_name}"


def _as_write(write: Sources) -> Write:
    upload = (
        write.typed.host == "files"
        if write.typed
        else bool(write.documented and write.documented.is_upload)
    )
    return Write(write.name, write.object, write.path, upload)


def _key(call: Call | DocumentCall) -> tuple[str, str]:
    return call.method, anonymous(call.path)
