"""The Lua scripts are found by their names alone, so no two may share one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from paydispatch.adapters.redis import scripts


def test_no_two_scripts_share_a_name() -> None:
    lua = Path(scripts.__file__).parent / "lua"
    names = Counter(path.stem for path in lua.rglob("*.lua"))
    assert names
    assert [name for name, count in names.items() if count > 1] == []
