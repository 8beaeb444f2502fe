"""`paydispatch local` notices each change that a flow could see, and no other."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from paydispatch.local.flow_changes import FlowChanges

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    for name in (
        "flows/any_error.py",
        "flows/parts/a.py",
        "db.py",
        "shop/orders.py",
        "shop/in/b.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_db.py").write_text("")
    return tmp_path / "flows"


def test_nothing_changed_is_no_change(flows: Path) -> None:
    changes = FlowChanges(flows)
    assert changes.read() == []


@pytest.mark.parametrize(
    "name", ["flows/any_error.py", "flows/parts/a.py", "db.py", "shop/orders.py", "shop/in/b.py"]
)
def test_a_changed_file_is_named_once(flows: Path, name: str) -> None:
    changes = FlowChanges(flows)
    (flows.parent / name).write_text("x = 22\n")
    assert changes.read() == [name.rpartition("/")[2]]
    assert changes.read() == []


def test_new_and_removed_files_are_changes(flows: Path) -> None:
    changes = FlowChanges(flows)
    (flows / "any_error.py").unlink()
    (flows / "any_response.py").write_text("")
    assert changes.read() == ["any_error.py", "any_response.py"]


@pytest.mark.parametrize("name", ["tests/test_db.py", "README.md", "flows/prices.json"])
def test_other_files_are_no_changes(flows: Path, name: str) -> None:
    changes = FlowChanges(flows)
    (flows.parent / name).write_text("changed")
    assert changes.read() == []


def test_a_folder_that_is_replaced_is_a_change_when_it_is_back(flows: Path) -> None:
    changes = FlowChanges(flows)
    shutil.rmtree(flows)
    assert changes.read() == []
    flows.mkdir()
    (flows / "any_error.py").write_text("x = 333\n")
    assert "any_error.py" in changes.read()
