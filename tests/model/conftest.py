"""The options of the search, and the line that it prints at the end.

    PROTOCOL_DEPTH=3 PROTOCOL_SEED=7 pytest tests/model

PROTOCOL_DEPTH (2): the search makes every run of the core scenarios with up to this many deviations, and every run of
the other scenarios with up to one deviation less. PROTOCOL_ONE_IN (1): of the runs with more deviations than depth 2
allows, the search makes one in this many. Each step of depth above 2 makes ten times as many random walks.
PROTOCOL_SEED (1) seeds the random walks and the selection of runs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.model.choices import explore, walk

if TYPE_CHECKING:
    from tests.model.choices import Play

WALKS = 40
"""Random runs of each scenario."""

_SEARCH = pytest.StashKey["Search"]()


@dataclass
class Search:
    depth: int
    seed: str
    one_in: int = 1
    runs: int = 0

    def explore(self, play: Play, *, core: bool) -> None:
        depth, whole = (self.depth, 2) if core else (self.depth - 1, 1)
        self.runs += explore(play, depth=depth, whole=whole, one_in=self.one_in, seed=self.seed)

    def walk(self, play: Play, name: str) -> None:
        walks = WALKS * 10 ** max(self.depth - 2, 0)
        self.runs += walk(play, seed=f"{self.seed} {name}", runs=walks)


def pytest_configure(config: pytest.Config) -> None:
    depth = int(os.environ.get("PROTOCOL_DEPTH", "2"))
    one_in = int(os.environ.get("PROTOCOL_ONE_IN", "1"))
    config.stash[_SEARCH] = Search(depth, os.environ.get("PROTOCOL_SEED", "1"), one_in)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    search = config.stash[_SEARCH]
    if search.runs:
        terminalreporter.write_line(
            f"protocol: {search.runs} runs, depth {search.depth}, seed {search.seed}"
        )


@pytest.fixture
def search(request: pytest.FixtureRequest) -> Search:
    return request.config.stash[_SEARCH]
