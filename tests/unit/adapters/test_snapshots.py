"""Processes that start from one snapshot of a program have names of their own."""

from __future__ import annotations

import copy
from typing import Any, cast

from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.domain.rates.limits import DefaultLimits


def test_limiters_restored_from_one_snapshot_take_tokens_under_different_names() -> None:
    snapshot = RedisLimiter(cast("Any", None), DefaultLimits())

    first, second = copy.copy(snapshot), copy.copy(snapshot)

    assert first._process != second._process
    assert first._process == first._process
