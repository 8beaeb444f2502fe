"""The workflows run this repository's own commands, with pinned actions and few rights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from every_python import VERSIONS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EVERY_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
"""An action with the hash of a commit, and the version that a person reads."""

TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


@EVERY_WORKFLOW
def test_every_action_of_others_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert used
    assert [use for use in used if not use.startswith("./") and not PINNED.fullmatch(use)] == []


@EVERY_WORKFLOW
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(path: Path) -> None:
    whole = yaml.safe_load(path.read_text("utf-8"))
    assert whole["permissions"] == {"contents": "read"}
    writing = {name for name, job in jobs(path).items() if "write" in str(job.get("permissions"))}
    assert writing <= {"deploy", "publish"}


@EVERY_WORKFLOW
def test_a_job_ends_in_bounded_time(path: Path) -> None:
    assert all("timeout-minutes" in job for job in jobs(path).values() if "steps" in job)


@EVERY_WORKFLOW
def test_no_checkout_keeps_its_token(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@EVERY_WORKFLOW
def test_every_make_target_of_a_workflow_exists(path: Path) -> None:
    makefiles = [ROOT / "Makefile", ROOT / "infra/build.mk"]
    targets = {name for file in makefiles for name in TARGET.findall(file.read_text("utf-8"))}
    called = [
        word
        for step in steps(path)
        for words in re.findall(r"^make (.+)$", step.get("run", ""), re.MULTILINE)
        for word in words.split()
        if "=" not in word
    ]
    assert set(called) <= targets


@EVERY_WORKFLOW
def test_no_input_is_written_into_a_command(path: Path) -> None:
    """An expression inside `run` would be executed by the shell. A variable is not."""
    assert not [step for step in steps(path) if "${{" in step.get("run", "")]


def test_the_pythons_of_the_workflow_are_the_supported_ones() -> None:
    matrix = jobs(ROOT / ".github/workflows/check.yml")["pythons"]["strategy"]["matrix"]["python"]
    assert ("3.11", *matrix) == VERSIONS
