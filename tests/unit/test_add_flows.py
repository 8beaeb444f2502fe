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


def write(root: Path, **texts: str) -> Path:
    """Write the files of a project, with `__` for a slash. Return its flows folder."""
    for name, text in texts.items():
        file = root / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root / "flows"


def test_modules_of_the_project_are_built_if_a_flow_imports_them(
    built: Path, tmp_path: Path
) -> None:
    flows = write(
        tmp_path / "shop",
        flows__any_response="import json\nimport db\n\ndef run(data, flow):\n    from shop.orders import pay\n",
        flows__helper="",
        flows__any_error="from .helper import x\nfrom flows.helper import x\n",
        db="import settings\n",
        settings="",
        shop__orders="from . import prices\nimport clock\n",
        shop__prices="",
        clock="",
        deploy="",
        tests__test_db="",
    )

    add_flows(built, flows, None, NOWHERE, "uv")

    found = {str(path.relative_to(built)) for path in built.rglob("*.py")}
    assert found == {
        *("flows/any_response.py", "flows/any_error.py", "flows/helper.py"),
        *("db.py", "settings.py", "clock.py", "shop/orders.py", "shop/prices.py"),
    }


def test_a_module_with_the_name_of_one_of_the_runner_is_refused(
    built: Path, tmp_path: Path
) -> None:
    (built / "redis").mkdir()
    flows = write(tmp_path / "shop", flows__any_error="import redis\n", redis__a="")

    with pytest.raises(SystemExit, match="redis has the name of a module of the flow runner"):
        add_flows(built, flows, None, NOWHERE, "uv")


def test_flows_that_import_from_a_folder_of_another_name_are_refused(
    built: Path, tmp_path: Path
) -> None:
    write(tmp_path / "shop", my_flows__any_error="from my_flows.helper import x\n")

    with pytest.raises(SystemExit, match="Name the folder flows"):
        add_flows(built, tmp_path / "shop/my_flows", None, NOWHERE, "uv")


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
