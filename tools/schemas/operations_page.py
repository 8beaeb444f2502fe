"""Writes the table of operations for people: `docs/operations-table.md`."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from operation_table import Sources

Row = Mapping[str, Any]

HEAD = """# The table of operations

`make schemas` writes this page. Do not edit it.

An operation is one write of Stripe's v1 API. The table joins Stripe's OpenAPI document of version `{older}` and
the official library of version `{today}`. It has {count} operations: {both} are in both sources, {document} in the
document alone, and {library} in the library alone.

- The object is the path in the library's client, in the singular. The operation is the library's method and the object,
  unless the method holds the object already. The path names an operation that only the document has.
- Every POST is repeated under its idempotency key, so that Stripe executes it once. Stripe ignores the key of a DELETE:
  after a lost answer, an answer 404 to the repeat means that the object is gone.
- The last column says how a lost answer can be proven after Stripe has forgotten the key. A *mark* is the metadata pair
  `paydispatch_request_id` of a new object. A list in parentheses needs the parameters it names.

| Operation | Call | Object | Repeat | Proof |
|---|---|---|---|---|
"""

LEFT_OUT = """
## Left out

All of API v2 is left out, because its calls are JSON and follow another rule for repeats. These {count} writes of v1
are left out too:

"""


def operations_page(
    rows: Mapping[str, Row], left_out: Iterable[tuple[Sources, str]], versions: tuple[str, str]
) -> str:
    """Return the page. `versions` are those of the document and of the library."""
    others = sorted(left_out, key=lambda entry: (entry[1], entry[0].path, entry[0].method))
    lines = [_line(name, row) for name, row in rows.items()]
    groups = groupby(others, key=lambda entry: entry[1])
    return "".join(
        [
            HEAD.format(
                older=versions[0],
                today=versions[1],
                count=len(rows),
                both=_count(rows, {"document", "library"}),
                document=_count(rows, {"document"}),
                library=_count(rows, {"library"}),
            ),
            *lines,
            LEFT_OUT.format(count=len(others)),
            *(_group(reason, [write for write, _ in group]) for reason, group in groups),
        ]
    )


def _count(rows: Mapping[str, Row], sources: set[str]) -> int:
    return sum(set(row["sources"]) == sources for row in rows.values())


def _line(name: str, row: Row) -> str:
    repeat = "key" if row["method"] == "POST" else "404 means gone"
    call = f"`{row['method']} {row['path']}`"
    return f"| `{name}` | {call} | `{row['object']}` | {repeat} | {_proof(row)} |\n"


def _proof(row: Row) -> str:
    if row["method"] == "DELETE":
        return "404"
    if not row.get("marked"):
        return "none"
    if "list" not in row:
        return "none: a mark, but no list"
    needs = row["list"].get("needs")
    return f"mark, list ({', '.join(needs)})" if needs else "mark, list"


def _group(reason: str, writes: list[Sources]) -> str:
    calls = ", ".join(f"`{write.method} {write.path}`" for write in writes)
    return f"- {reason} {calls}\n"
