"""Imports a Lambda entry point by its name, as the Lambda runtime does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from paydispatch.local.lambdas.lambda_context import LambdaContext


class Handler(Protocol):
    """A Lambda entry point: `handler(event, context)`."""

    def __call__(self, event: dict[str, Any], context: LambdaContext, /) -> Any: ...


def load_handler(entry_point: str) -> Handler:
    """Import `package.module.function` and return it. Passes on the exceptions of the import."""
    module, _, function = entry_point.rpartition(".")
    return cast("Handler", getattr(importlib.import_module(module), function))
