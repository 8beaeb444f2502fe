"""A project's flows take the place of those of this repository in the built flow runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from add_flows import add_flows
from build_function import Target

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = Target((), None, "/var/task")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    flows = tmp_path / "built/flows"
    flows.mkdir(parents=True)
    (flows / "new_create_coupon_response.py").touch()
    return tmp_path / "built"


def test_only_the_flows_of_the_project_are_built(built: Path, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    (project / "prices").mkdir(parents=True)
    (project / "any_response.py").touch()
    (project / "prices/table.json").touch()

    add_flows(built, project, None, NOWHERE, "uv")

    found = {str(path.relative_to(built / "flows")) for path in (built / "flows").rglob("*.*")}
    assert found == {"any_response.py", "prices/table.json"}


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_folder_without_flows_is_named_and_nothing_is_changed(
    folder: str, built: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(SystemExit, match=folder):
        add_flows(built, tmp_path / folder, None, NOWHERE, "uv")

    assert (built / "flows/new_create_coupon_response.py").exists()


def test_a_requirements_file_that_is_absent_is_named(built: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"REQUIREMENTS.*none\.txt"):
        add_flows(built, built / "flows", tmp_path / "none.txt", NOWHERE, "uv")
