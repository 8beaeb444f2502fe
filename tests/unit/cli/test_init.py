"""`paydispatch init` writes a project whose tests pass, and changes no file that is there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.cli.commands.init import project_files
from paydispatch.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

FILES = [str(path) for path in project_files("shop")]


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_it_writes_two_flows_their_tests_a_template_a_makefile_and_a_readme(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "shop")]) == 0

    written = tree(tmp_path / "shop")
    assert {"Makefile", "README.md", "template.yaml", "tests/test_flows.py"} <= set(written)
    assert written["README.md"].startswith("# shop\n")
    flows = FlowFolder(tmp_path / "shop" / "flows")
    assert flows.has("new_create_payment_intent_response")
    assert flows.has("new_create_payment_intent_error")
    assert capsys.readouterr().out.count("wrote") == len(written)


def test_it_writes_into_the_current_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["init", "--json"]) == 0

    assert sorted(json.loads(capsys.readouterr().out)["files"]) == sorted(tree(tmp_path))


def test_the_tests_of_a_new_project_pass(tmp_path: Path) -> None:
    main(["init", str(tmp_path)])

    unit_tests = ("-p", "no:cacheprovider", "tests/test_flows.py")
    command = (sys.executable, "-m", "pytest", "-q", *unit_tests)
    done = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("name", FILES)
def test_it_writes_nothing_if_one_file_is_there_and_names_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")

    assert main(["init", str(tmp_path)]) == 1

    assert tree(tmp_path) == {name: "mine"}
    assert (
        capsys.readouterr().err == f"paydispatch: {mine} is in the way, so nothing was written.\n"
    )


def test_a_dangling_link_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "Makefile").symlink_to(tmp_path / "elsewhere")

    assert main(["init", str(tmp_path)]) == 1


@pytest.mark.parametrize("name", ["", "flows", "tests"])
def test_a_file_in_the_place_of_a_folder_is_in_the_way(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = tmp_path / "shop"
    blocked = shop / name
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("mine")

    assert main(["init", str(shop)]) == 1

    assert f"{blocked} is in the way" in capsys.readouterr().err
