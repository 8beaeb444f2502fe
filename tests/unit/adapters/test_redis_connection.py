"""An invalid Redis URL is refused when the client is made. The error hides it, because it may hold a password."""

from __future__ import annotations

from typing import Any

import pytest

from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.domain.errors import BadSetting

INVALID = [
    "host",
    "http://host",
    "redis://host:99999",
    "redis://user:hush/hush@host",
    "redis://[::1",
    "redis://host?db=first",
    "redis://host?colour=red",
    "redis://host?ssl_cert_reqs=none",
    "rediss://host?ssl_cert_reqs=perhaps",
    "http://host?cluster=true",
    "redis://user:hush/hush@host?cluster=true",
]
GOOD = [
    "redis://host",
    "redis://host:6379/3",
    "rediss://user:hush@host:6380?ssl_cert_reqs=none",
    "redis://host?cluster=true",
    "unix:///run/redis.sock",
]

both = pytest.mark.parametrize("make", [connect, connect_async])


@both
@pytest.mark.parametrize("url", INVALID)
def test_an_invalid_url_is_refused_and_not_shown(make: Any, url: str) -> None:
    with pytest.raises(BadSetting, match=r"REDIS_URL must be like redis://") as refusal:
        make(url)

    assert "hush" not in str(refusal.value)
    assert refusal.value.__suppress_context__


@both
@pytest.mark.parametrize("url", GOOD)
def test_a_client_is_made_without_a_connection(make: Any, url: str) -> None:
    make(url)
