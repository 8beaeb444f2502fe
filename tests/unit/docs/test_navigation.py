"""Each page of the site can be reached: it stands in the navigation."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"

_TREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_page_is_in_the_navigation_once() -> None:
    named = [
        line
        for tree in _TREE.findall((DOCS / "index.md").read_text("utf-8"))
        for line in tree.splitlines()
        if line and not line.startswith(":")
    ]
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.glob("**/*.md")}
    decisions = {page for page in pages if re.match(r"adr/\d", page)}
    assert sorted(named) == sorted(pages - decisions - {"index"})
