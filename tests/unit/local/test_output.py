"""Each line that a part prints appears with the name of the part."""

from pathlib import Path

import pytest

from paydispatch.local.output import Follower


def test_each_line_is_shown_once_with_the_name_of_its_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = Follower(tmp_path)
    (tmp_path / "twin.log").write_text("first\nsecond\nnot yet comp")
    (tmp_path / "worker.log").write_text("third\n")
    follower.close()
    shown = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert sorted(shown) == [["twin", "first"], ["twin", "second"], ["worker", "third"]]
