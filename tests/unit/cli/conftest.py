"""The environment of an operator while every service is unavailable."""

from __future__ import annotations

import pytest
from tests.away import AWAY

UNSET = ("AWS_REGION", "BATCH_QUEUE_URL", "FLOWS_DIR", "MAX_RECEIVES", "PAYDISPATCH_TOKEN")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the variables of the environment. A test may change one of them with the returned monkeypatch."""
    for name, value in {**AWAY, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    for name in UNSET:
        monkeypatch.setenv(name, "")  # so that it is restored even if a command sets it
        monkeypatch.delenv(name)
    return monkeypatch
