"""Read the stacks that py-spy sampled, and share them among the parts of a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OTHER = "everything else"
IMPORTS = ("importlib", "<module>")
"""Frames of a program that loads its modules. They are no part of a request."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The frames of one place in a program, the outermost first, and the number of samples that found it there."""

    frames: tuple[str, ...]
    samples: int

    def has(self, text: str) -> bool:
        return any(text in frame for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a program: its name, and texts of the frames that belong to it."""

    name: str
    texts: tuple[str, ...]


def read_stacks(raw: str) -> Iterator[Stack]:
    """Read the lines of `py-spy record --format raw`: frames joined by `;`, and their samples."""
    for line in raw.splitlines():
        frames, _, samples = line.rpartition(" ")
        if frames:
            yield Stack(tuple(frames.split(";")), int(samples))


def of_requests(stacks: Iterable[Stack], within: Sequence[str]) -> list[Stack]:
    """Return the stacks with a frame for each text, cut at the last of these frames.

    Stacks that import a module are left out.
    """
    found = (stack for stack in stacks if all(stack.has(text) for text in within))
    below = (_below(stack, within[-1]) for stack in found)
    return [stack for stack in below if not stack.has(IMPORTS[0])]


def share(stacks: Sequence[Stack], parts: Sequence[Part]) -> dict[str, float]:
    """Return the percentage of each part, the largest first. The innermost frame with a part's text decides."""
    counted: Counter[str] = Counter()
    for stack in stacks:
        counted[_part_of(stack, parts)] += stack.samples
    total = counted.total() or 1
    return {name: 100 * samples / total for name, samples in counted.most_common()}


def _below(stack: Stack, text: str) -> Stack:
    place = next(place for place, frame in enumerate(stack.frames) if text in frame)
    return Stack(stack.frames[place:], stack.samples)


def _part_of(stack: Stack, parts: Sequence[Part]) -> str:
    for frame in reversed(stack.frames):
        for part in parts:
            if any(text in frame for text in part.texts):
                return part.name
    return OTHER
