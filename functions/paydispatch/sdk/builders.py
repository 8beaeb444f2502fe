"""`new_<object>()` and `create_<object>_async(…)` for every row of the table.

Made at import from the table; what each accepts is written in the generated `builders.pyi`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from paydispatch.domain.resources import RESOURCES, Resource
from paydispatch.sdk.builder import BoundBuilder, Builder, Submit

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Builders:
    """`new_<object>()` of every object, bound: how a flow dispatches the next create."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def __getattr__(self, name: str) -> Callable[[], BoundBuilder]:
        if name not in _NAMES:
            raise AttributeError(f"There is no {name!r}. There are: {', '.join(_NAMES)}.")
        return partial(BoundBuilder, _NAMES[name], self._submit)


def _new(row: Resource) -> Callable[[], Builder]:
    def new() -> Builder:
        return Builder(row.name)

    return _named(new, f"new_{row.identifier}", f"Start the parameters of one {row.name}.")


def _create_async(row: Resource) -> Callable[..., Any]:
    def create_async(obj: Any, *args: Any, **options: Any) -> Any:
        builder = obj if isinstance(obj, Builder) else Builder(row.name, obj)
        if builder.object_name != row.name:
            raise TypeError(f"This creates a {row.name}, and was given a {builder.object_name}.")
        return builder.create_async(*args, **options)

    name = f"create_{row.identifier}_async"
    return _named(create_async, name, f"Dispatch one {row.name}: a builder, or its parameters.")


def _named(function: _Function, name: str, doc: str) -> _Function:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


_NAMES = {f"new_{row.identifier}": row.name for row in RESOURCES}

globals().update(
    {made.__name__: made for row in RESOURCES for made in (_new(row), _create_async(row))}
)
