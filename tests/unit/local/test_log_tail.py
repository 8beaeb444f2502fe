"""A log tail yields each complete line once, and can leave out those of the past."""

from pathlib import Path

from paydispatch.local.log_tail import LogTail


def test_each_complete_line_comes_once_with_the_name_of_its_part(tmp_path: Path) -> None:
    log, tail = tmp_path / "worker.log", LogTail(tmp_path)
    log.write_bytes(b"one\ntw")
    assert list(tail.new_lines()) == [("worker", b"one")]
    log.write_bytes(b"one\ntwo\n")
    assert list(tail.new_lines()) == [("worker", b"two")]
    assert list(tail.new_lines()) == []


def test_after_a_skip_only_later_lines_come(tmp_path: Path) -> None:
    log, tail = tmp_path / "worker.log", LogTail(tmp_path)
    log.write_bytes(b"one\ntw")
    tail.skip()
    log.write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "twin.log").write_bytes(b"four\n")
    assert list(tail.new_lines()) == [("twin", b"four"), ("worker", b"two"), ("worker", b"three")]
