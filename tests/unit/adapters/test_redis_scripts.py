"""The Lua scripts are found by name, so that no two may have the same one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from paydispatch.adapters.redis import scripts


def test_no_two_scripts_have_the_same_name() -> None:
    names = Counter(path.stem for path in (Path(scripts.__file__).parent / "lua").rglob("*.lua"))
    assert names
    assert [name for name, count in names.items() if count > 1] == []
