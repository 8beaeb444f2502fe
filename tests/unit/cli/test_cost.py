"""`paydispatch cost` prints the estimate, and refuses numbers that cannot be."""

import json

import pytest

from paydispatch.cli.main import main


def test_the_json_names_every_line_with_its_price_and_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cost", "--calls", "1e6", "--lane", "batch", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["calls"] == 1e6
    assert printed["usd"] == pytest.approx(sum(line["usd"] for line in printed["lines"]), abs=0.01)
    assert all(line["source"].startswith("https://") for line in printed["lines"])
    assert printed["times_cheaper_than_a_loop"] >= 5


def test_the_table_has_the_sum_and_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--lane", "interactive", "--api-items", "1"]) == 0
    printed = capsys.readouterr().out
    assert "API Gateway" in printed
    assert "together" in printed
    assert "Not counted: free tiers" in printed


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--calls", "0"], "--calls"),
        (["--lane", "fast"], "--lane"),
        (["--per-invocation", "10001"], "--per-invocation"),
        (["--deferrals", "-1"], "--deferrals"),
        (["--wait-ms", "soon"], "--wait-ms"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cost", *arguments])
    assert ended.value.code == 2
    assert named in capsys.readouterr().err
