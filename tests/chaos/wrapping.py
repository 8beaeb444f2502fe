"""The base class of the wrapped ports. It passes every attribute that they do not define to the inner port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.points import Points


class Wrapper:
    def __init__(self, inner: Any, points: Points) -> None:
        self.inner = inner
        self.points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
