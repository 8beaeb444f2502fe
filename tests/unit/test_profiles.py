"""The profiles of the rows share the samples of py-spy among parts, and the page has a place for each table."""

from pathlib import Path

import pytest
from tests.performance.frame.rows import ROWS
from tests.performance.profiles import as_table, markers
from tests.performance.profiling.programs import PROFILED, Profiled
from tests.performance.profiling.stacks import OTHER, Part, Stack, of_requests, read_stacks, share

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/profiles.md").read_text("utf-8")
JSON, LOOP = Part("JSON", ("json/",)), Part("loop", ("asyncio/",))
RAW = """\
process 1:"bench";run (flows.py:1) 9
process 2:"worker";step (asyncio/events.py:1);dumps (json/encoder.py:2) 6
process 2:"worker";step (asyncio/events.py:1);wait (selectors.py:3) 50
process 2:"worker";step (asyncio/events.py:1) 3
process 2:"worker";_find_and_load (<frozen importlib._bootstrap>:1);read (json/decoder.py:1) 7
process 2:"worker";run (script.py:1) 1
"""
WORKER = Profiled(name="w", module="w", within=("worker",), parts=(JSON, LOOP))


def test_a_sample_belongs_to_the_part_of_its_innermost_frame() -> None:
    stacks = of_requests(read_stacks(RAW), ("worker",))
    assert share(stacks[:1], (LOOP, JSON)) == {"JSON": 100}
    assert share([Stack(("elsewhere",), 1)], (JSON,)) == {OTHER: 100}


def test_only_the_stacks_of_a_request_count_and_only_below_it() -> None:
    stack = Stack(("json/ outside", "call", "inside"), 2)
    assert of_requests([stack, Stack(("inside",), 5)], ("call",)) == [Stack(("call", "inside"), 2)]


def test_a_table_leaves_out_waiting_and_imports() -> None:
    assert as_table(WORKER, RAW).splitlines()[2:] == [
        "| JSON | 60 |",
        "| loop | 30 |",
        f"| {OTHER} | 10 |",
    ]


def test_a_profile_without_a_request_is_an_error_and_no_empty_table() -> None:
    with pytest.raises(SystemExit, match="made no request"):
        as_table(WORKER, 'process 1:"bench" 3\n')


@pytest.mark.parametrize("name", ["burst", *(profiled.name for profiled in PROFILED)])
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    begin, end = markers(name)
    assert 0 < PAGE.index(begin) < PAGE.index(end)


@pytest.mark.parametrize("profiled", PROFILED, ids=lambda profiled: profiled.name)
def test_a_profiled_program_exists(profiled: Profiled) -> None:
    assert (ROOT / f"{profiled.module.replace('.', '/')}.py").exists()


@pytest.mark.parametrize("row", [row for row in ROWS if row.profile], ids=lambda row: row.name)
def test_the_heading_that_a_row_names_is_on_the_page(row: object) -> None:
    headings = [
        line[3:].lower().replace(" ", "-") for line in PAGE.splitlines() if line[:3] == "## "
    ]
    assert getattr(row, "profile", None) in headings


@pytest.mark.parametrize(
    "text", [t for profiled in PROFILED for part in profiled.parts for t in part.texts if t.endswith(".py")]
)  # fmt: skip
def test_a_file_that_a_part_names_exists(text: str) -> None:
    """The standard library's and other packages' files are named with their folder."""
    places = (ROOT / "functions", ROOT / "tests/performance")
    own = any(path.as_posix().endswith(text) for place in places for path in place.rglob("*.py"))
    assert own or text in ("json/encoder.py", "urllib/parse.py", "threading.py")
