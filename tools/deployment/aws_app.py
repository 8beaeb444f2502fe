"""MiniStack's application, in which AWS's runtime interface emulator runs the deployed functions.

MiniStack's own worker would import a function with the libraries of this machine, so that a library that a zip lacks
would not be missed. MiniStack can forward the invocations of a function to a URL. Here it does so for each.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ministack.services import lambda_svc  # type: ignore[import-untyped]

from paydispatch.local.stores.ministack_app import app

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

RUNNERS_URL = "FUNCTION_RUNNERS_URL"
"""The variable with the URL of `FunctionRunners`."""

__all__ = ["RUNNERS_URL", "app"]


def _url_of(config: Mapping[str, Any]) -> str:
    return f"{os.environ[RUNNERS_URL]}/{config['FunctionName']}"


lambda_svc._proxy_url_for = _url_of  # noqa: SLF001 - MiniStack's own option needs the names before the deployment
