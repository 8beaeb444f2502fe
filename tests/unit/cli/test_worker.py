"""`paydispatch worker`: the slots that it serves."""

from __future__ import annotations

import argparse

import pytest

from paydispatch.cli.commands import worker
from paydispatch.domain.errors import BadSetting


def parse_slots(*words: str) -> frozenset[str] | None:
    parser = argparse.ArgumentParser()
    worker.add_parser(parser.add_subparsers())
    return worker.slots_to_serve(parser.parse_args(["worker", *words]), queue_tenant="main")


@pytest.mark.parametrize(
    ("words", "slots"),
    [
        (["--all"], None),
        (["--worker-id", "w1"], {"w1"}),
        (["--worker-id", "w1", "--worker-id", "w2"], {"w1", "w2"}),
        (["--worker-id", "w1", "--tenant", "main"], {"w1"}),
        (
            ["--worker-id", "w1", "--worker-id", "w2", "--tenant", "acme"],
            {"acme w1", "acme w2"},
        ),
    ],
)
def test_a_worker_serves_the_slots_of_the_named_workers_and_tenant(
    words: list[str], slots: set[str] | None
) -> None:
    assert parse_slots(*words) == slots


def test_a_tenant_without_a_worker_is_refused() -> None:
    with pytest.raises(BadSetting, match="--tenant needs --worker-id"):
        parse_slots("--all", "--tenant", "acme")
