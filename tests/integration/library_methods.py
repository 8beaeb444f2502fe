"""Finds the method of the official library's client for an operation of the table."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import stripe

_CALL = re.compile(r'"(post|delete)",\s*"(/v1/[^"]+)"')
_METHOD = re.compile(r"\n    def (\w+)\(")


def library_methods(client: stripe.StripeClient) -> dict[tuple[str, str], Callable[..., Any]]:
    """Return the methods by the HTTP method and the path, with `{}` in the place of each id."""
    return dict(_methods_of(client.v1))


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _methods_of(service: Any) -> Iterator[tuple[tuple[str, str], Callable[..., Any]]]:
    source = inspect.getsource(sys.modules[type(service).__module__])
    names = _METHOD.split(source)[1:]
    for name, text in zip(names[::2], names[1::2], strict=True):
        called = _CALL.search(text)
        if called is not None and hasattr(service, name):
            yield (called[1].upper(), shape(called[2])), getattr(service, name)
    for name in sys.modules[type(service).__module__].__dict__.get("_subservices", {}):
        yield from _methods_of(getattr(service, name))
