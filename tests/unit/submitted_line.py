"""Read one line of a file of requests, as `paydispatch submit` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.submission.defaults import Defaults
from paydispatch.domain.submission.file_lines import read_json_line
from paydispatch.services.submission.read_requests import RequestReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.services.submission.read_requests import FaultyLine, RequestLine


def read_submitted(item: Mapping[str, Any]) -> RequestLine | FaultyLine:
    line = read_json_line(1, json.dumps(item).encode())
    assert line is not None
    (read,) = RequestReader("run_0123456789abcdef", Defaults(), STRIPE_API_VERSION).read([line])
    return read
