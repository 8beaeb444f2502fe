"""The English of the project stays plain.

A relative clause without a head ("what a copy must know"), a semicolon and a function with a participle for a name each
cost a reader a second look. Well-kept libraries have fewer than one such word in a thousand.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
CODE = sorted((ROOT / "functions").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/*.md")])

RELATIVES = re.compile(r"\b(what|who|whom|whose|whoever|whatever)\b", re.IGNORECASE)
SEMICOLONS = re.compile(r";(?=\s)")
PARTICIPLE = re.compile(r"_*[a-z]+(ed|ing)(_|$)")
VERBS_LIKE_PARTICIPLES = {
    "bring",
    "embed",
    "exceed",
    "feed",
    "need",
    "ping",
    "proceed",
    "ring",
    "seed",
}


@pytest.mark.parametrize("name", ["functions", "tests", "documents"])
def test_prose_has_few_headless_relatives_and_semicolons(name: str) -> None:
    texts = list(
        {
            "functions": prose_of_code(CODE),
            "tests": prose_of_code(TESTS),
            "documents": prose_of_pages(PAGES),
        }[name]
    )
    assert rate_per_thousand_words(texts, RELATIVES) <= 2
    assert rate_per_thousand_words(texts, SEMICOLONS) <= 3


def test_functions_are_named_by_verbs() -> None:
    names = [
        node.name
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node)
    ]
    participles = [name for name in names if is_participle(name)]
    assert len(participles) <= 0.03 * len(names), participles


def rate_per_thousand_words(texts: list[str], pattern: re.Pattern[str]) -> float:
    words = sum(len(text.split()) for text in texts)
    return 1000 * sum(len(pattern.findall(text)) for text in texts) / words


def prose_of_code(paths: Iterable[Path]) -> Iterator[str]:
    """Yield every docstring and comment. Generated types quote Stripe, so they are left out."""
    for path in paths:
        if path.name != "params.py":
            source = path.read_text("utf-8")
            yield from docstrings(ast.parse(source))
            yield from comments(source)


def docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


def comments(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def prose_of_pages(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the text of every page without its code."""
    for path in paths:
        text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)
        yield re.sub(r"`[^`]*`", "X", text).replace("|", ". ")


def is_participle(name: str) -> bool:
    first = name.strip("_").partition("_")[0]
    return bool(PARTICIPLE.fullmatch(first)) and first not in VERBS_LIKE_PARTICIPLES


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)
