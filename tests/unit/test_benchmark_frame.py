"""The frame of the benchmarks reads the figures of programs, takes medians, and writes a page that can be rewritten."""

import json
import os
from pathlib import Path

import pytest
from tests.performance import growth
from tests.performance.frame.adapters import (
    from_cold_start,
    from_cost,
    from_flows,
    from_lines,
    from_one_call,
)
from tests.performance.frame.page import BEGIN, END, as_text, write_page
from tests.performance.frame.processes import Usage, cpu_between, usage_by_part, usage_of
from tests.performance.frame.programs import Contestant, Figures, as_json, from_json, merge
from tests.performance.frame.rows import ROWS, Row

from paydispatch.cli.main import main

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "system": "Linux",
    "python": "3.13",
    "load": [0.1, 0.2, 0.3],
    "at": "2026-11-27 12:00 UTC",
}
TWO_REACHES = Row(
    name="rates",
    title="A rate",
    unit="per_s",
    reach=100,
    reaches={"another": 5},
    higher_is_better=True,
    profile="a-heading",
)
WAITS = Row(name="waits", title="A wait", unit="us", reach=30)
RATES = Row(name="rates", title="A rate", unit="per_s", reach=100, higher_is_better=True)


def _figures() -> Figures:
    return {
        "waits": {
            "paydispatch": Contestant("us", [20.0, 40.0, 25.0]),
            "a peer": Contestant("us", [50.0, 60.0, 10.0]),
        },
        "rates": {"paydispatch": Contestant("per_s", [90.0])},
    }


def test_the_page_has_medians_the_spread_the_ratio_and_the_reach(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Before\n{BEGIN}\nold\n{END}\n# After\n")
    write_page(tmp_path, (WAITS, RATES), _figures(), MACHINE)
    text = page.read_text("utf-8")
    assert "| paydispatch | 25 | 20 | 40 | 3 | 1.00 |" in text
    assert "| a peer | 50 | 10 | 60 | 3 | 2.00 |" in text
    assert "Reach: at most 30 µs, reached." in text
    assert "Reach: at least 100 1/s, not reached in this run." in text
    assert "a processor, 2 cores" in text
    assert "old" not in text
    assert text.startswith("# Before")
    assert text.endswith("# After\n")
    assert (tmp_path / "benchmarks/waits.svg").exists()


def test_writing_the_page_again_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"{BEGIN}{END}\n")
    write_page(tmp_path, (WAITS,), _figures(), MACHINE)
    once = page.read_text("utf-8")
    write_page(tmp_path, (WAITS,), _figures(), MACHINE)
    assert page.read_text("utf-8") == once


def test_the_text_lists_the_best_contestant_first() -> None:
    lines = as_text((WAITS,), _figures()).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == ["paydispatch", "a"]


def test_figures_survive_their_json() -> None:
    assert from_json(as_json(_figures())) == _figures()


def test_a_later_run_replaces_only_the_contestants_that_it_measured() -> None:
    later: Figures = {"waits": {"a peer": Contestant("us", [1.0])}}
    merged = merge(_figures(), later)
    assert merged["waits"]["a peer"].rounds == [1.0]
    assert merged["waits"]["paydispatch"] == _figures()["waits"]["paydispatch"]
    assert merged["rates"] == _figures()["rates"]


def test_lines_of_a_program_are_read_and_other_output_is_not() -> None:
    line = {"row": "waits", "figure": "a peer", "unit": "us", "rounds": [1.0]}
    assert list(from_lines(f"hello\n{json.dumps(line)}\n")) == [("waits", "a peer", "us", [1.0])]


def test_the_report_of_one_call_gives_three_rows() -> None:
    sides = {"this caller": {"cpu_us": 900.0, "wall_10_ms": 310.0, "wall_100_ms": 350.0}}
    assert list(from_one_call(json.dumps({"sides": sides}))) == [
        ("one_call", "paydispatch", "us", [900.0]),
        ("wall_10", "paydispatch", "ms", [310.0]),
        ("wall_100", "paydispatch", "ms", [350.0]),
    ]


def test_the_report_of_flows_gives_rates_and_delays() -> None:
    results = [
        {"what": "async def, own contexts", "source": "here", "per_s": 1.0, "per_core_s": 2.0},
        {"what": "publish to run at 50/s", "source": "here", "p50_ms": 3.0, "p99_ms": 4.0},
    ]
    assert [sample[:2] for sample in from_flows(json.dumps({"results": results}))] == [
        ("flows", "paydispatch, async def, own contexts"),
        ("publish_to_run", "paydispatch p50"),
        ("publish_to_run", "paydispatch p99"),
    ]


def test_the_report_of_cold_starts_gives_times_and_sizes_of_this_checkout() -> None:
    figures = {
        name: {"before": 2.0, "after": 1.0, "ratio": 0.5} for name in ("init", "cpu", "zip_mb")
    }
    read = list(from_cold_start(json.dumps({"ApiFunction": figures}, indent=2)))
    assert [sample[0] for sample in read] == ["cold_start", "cold_start", "zip"]
    assert all(rounds == [1.0] for *_, rounds in read)


def test_the_estimate_of_costs_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--json"]) == 0
    rows = {sample[0] for sample in from_cost(capsys.readouterr().out)}
    assert rows == {"lambda_price", "price"}


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))


def test_the_processes_of_a_stack_count_by_part() -> None:
    own = os.getpid()
    parts = usage_by_part({"gateway-1": own, "gateway-2": own, "twin": own, "poller-look-1": own})
    assert parts["twin"].cpu_s > 0
    assert parts["gateway"].memory_mb == pytest.approx(2 * parts["twin"].memory_mb, rel=0.1)
    assert parts["valkey"] == Usage()
    assert cpu_between(parts, parts)["gateway"] == 0


def test_a_process_that_has_ended_counts_nothing() -> None:
    assert usage_of(2**22 + 1) == Usage()


def test_the_page_begins_with_every_reach_and_a_link_to_the_profile(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    figures = _figures()
    figures["rates"]["another"] = Contestant("per_s", [6.0])
    write_page(tmp_path, (TWO_REACHES,), figures, MACHINE)
    text = page.read_text("utf-8")
    missed = "not reached in this run ([profile](profiles.md#a-heading))"
    assert f"| A rate | at least 100 1/s | 90 1/s | {missed} |" in text
    assert "| A rate: another | at least 5 1/s | 6 1/s | reached |" in text
    assert "- Reach of another: at least 5 1/s, reached." in text


@pytest.mark.parametrize("name", list(growth.SCENARIOS))
def test_the_page_has_a_place_for_each_growth(name: str) -> None:
    text = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text("utf-8")
    begin, end = growth.markers(name)
    assert 0 < text.index(begin) < text.index(end)


def test_growth_survives_its_json_and_is_written_into_the_page(tmp_path: Path) -> None:
    points = [
        growth.Point(size, 10, 5.0, {"worker": 1_000.0 * size, "gateway": 0.0}, {"worker": 80.0})
        for size in (1, 2)
    ]
    made = growth.Growth("contexts", "contexts", points)
    assert growth.Growth.from_json(made.as_json()) == made
    page = tmp_path / "benchmarks.md"
    begin, end = growth.markers("contexts")
    page.write_text(f"{begin}\nold\n{end}\n")
    growth.write_growth(tmp_path, [made], MACHINE)
    text = page.read_text("utf-8")
    assert "| contexts | worker |" in text
    assert "| 2 | 2,000 (80) |" in text
    assert (tmp_path / "benchmarks/growth-contexts.svg").exists()
