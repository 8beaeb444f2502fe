"""The choice of a move at each step of a run: the default move, unless the run deviates at this step.

A run is described completely by its deviations. So the shortest list of deviations that breaks an invariant is also
the clearest description of the fault. `explore` makes every run of at most `depth` deviations. `walk` makes long random
runs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Play = Callable[["Choices"], object]
    """Makes one run. Raises `AssertionError` when an invariant breaks."""


@dataclass
class Choices:
    """The choices of one run: the default move (0), except at the steps of `deviations` ({step: number of a move})."""

    deviations: Mapping[int, int]
    options: list[int] = field(default_factory=list)
    """The number of possible moves at each step."""
    story: list[str] = field(default_factory=list)
    """Every move that was made. A deviation has a star."""
    with_rare: bool = False
    """Whether the run includes the rare ways of a call (`Stage.call`)."""

    def pick(self, moves: Sequence[str]) -> int:
        chosen = self._chosen(moves)
        self.options.append(len(moves))
        self.story.append(f"{'*' if chosen else ' '} {moves[chosen]}")
        return chosen

    def _chosen(self, moves: Sequence[str]) -> int:
        return self.deviations.get(len(self.options), 0) % len(moves)


class RandomChoices(Choices):
    """Choices that deviate at random, at most `most` times."""

    def __init__(self, seed: str, *, most: int, rate: float) -> None:
        super().__init__({})
        self._dice = random.Random(seed)
        self._left = most
        self._rate = rate
        self.with_rare = True

    def _chosen(self, moves: Sequence[str]) -> int:
        if self._left == 0 or len(moves) == 1 or self._dice.random() >= self._rate:
            return 0
        self._left -= 1
        return self._dice.randrange(1, len(moves))


class Steered(Choices):
    """Choices that make the named moves in this order, each as soon as it is possible, and otherwise the default."""

    def __init__(self, *wanted: str) -> None:
        super().__init__({})
        self.wanted = list(wanted)
        self.with_rare = True

    def _chosen(self, moves: Sequence[str]) -> int:
        if self.wanted and self.wanted[0] in moves:
            return moves.index(self.wanted.pop(0))
        return 0


class Broken(AssertionError):
    """Raised when an invariant breaks. The message lists every move of the run."""

    def __init__(self, error: AssertionError, choices: Choices) -> None:
        super().__init__("\n".join([str(error), *choices.story]))


def explore(
    play: Play, *, depth: int, whole: int | None = None, one_in: int = 1, seed: str = ""
) -> int:
    """Make every run of at most `depth` deviations, fewest first, and return the number of runs. Raises `Broken`.

    Of the runs with more than `whole` deviations it makes one in `one_in`, selected by `seed`. None makes all runs.
    """
    dice, runs = random.Random(seed), 0
    level: list[dict[int, int]] = [{}]
    for made_already in range(depth + 1):
        following: list[dict[int, int]] = []
        for deviations in level:
            choices = Choices(deviations)
            make_run(play, choices)
            runs += 1
            if made_already < depth:
                following.extend(_children(deviations, choices.options))
        drawn = whole is not None and made_already >= whole
        level = [each for each in following if not drawn or dice.randrange(one_in) == 0]
    return runs


def walk(play: Play, *, seed: str, runs: int, most: int = 6, rate: float = 0.12) -> int:
    """Make `runs` random runs of up to `most` deviations and return the number of runs. Raises `Broken`."""
    for number in range(runs):
        make_run(play, RandomChoices(f"{seed}-{number}", most=most, rate=rate))
    return runs


def make_run(play: Play, choices: Choices) -> Choices:
    try:
        play(choices)
    except AssertionError as error:
        raise Broken(error, choices) from error
    return choices


def _children(deviations: Mapping[int, int], options: Sequence[int]) -> Iterator[dict[int, int]]:
    """Yield the runs with one more deviation, at a later step than the others, so that each set is made only once."""
    for step in range(max(deviations, default=-1) + 1, len(options)):
        for move in range(1, options[step]):
            yield {**deviations, step: move}
