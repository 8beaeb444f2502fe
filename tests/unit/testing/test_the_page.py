"""The examples of the page on testing run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    pages = ("testing.md", "flows.md")
    found = ((page, text) for page in pages for text in _PYTHON.findall(read(page)))
    return [(page, text) for page, text in found if "run_flow" in text]


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text("utf-8")


@pytest.mark.parametrize(("page", "text"), examples(), ids=lambda value: value[:12])
def test_the_tests_of_a_page_pass(page: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWS_DIR", str(ROOT / "flows"))
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        assert callable(test)
        test()
