"""The page about the Stripe twin matches the twin."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/twin.md"


def test_the_page_lists_the_rules_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from twin_rules import with_rules

    page = PAGE.read_text("utf-8")
    assert page == with_rules(page), "run: python tools/twin_rules.py"


def test_the_page_names_every_object_that_others_follow_from() -> None:
    from paydispatch.twin.derived.follow import FOLLOWERS

    page = PAGE.read_text("utf-8").lower()
    names = {name.replace(".", " ").replace("_", " ") for name in FOLLOWERS}
    assert {name for name in names if f"| {name} |" not in page} == set()
