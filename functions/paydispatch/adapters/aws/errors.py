"""The one place that turns boto3's errors into `Unavailable`, and that sets the limits of its clients."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from paydispatch.adapters.keyless_logs import drop_bodies_of_aws
from paydispatch.domain.errors import NotPermitted, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

drop_bodies_of_aws()  # here, because every program that makes a client of AWS loads this module

CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
)
"""For work from a queue. If AWS fails for longer, the call raises `Unavailable` and the queue retries the work."""

CONNECT_WITHIN_S = 1.5
"""Allows for one lost packet, because TCP sends its first packet again after a second."""

ANSWER_WITHIN_S = 2.5
"""SQS and KMS answer in some 20 ms. No answer within this time is treated as a lost answer."""

SEAL_ATTEMPTS = 2
LONGEST_SEAL_S = SEAL_ATTEMPTS * (CONNECT_WITHIN_S + ANSWER_WITHIN_S) + 1
"""The last second is the longest pause that botocore makes between two attempts."""

SEAL_CONFIG = Config(
    connect_timeout=CONNECT_WITHIN_S,
    read_timeout=ANSWER_WITHIN_S,
    retries={"mode": "standard", "total_max_attempts": SEAL_ATTEMPTS},
    max_pool_connections=50,
)
"""For KMS where a caller waits for the answer: a create at the API, or the start of a Dispatcher."""

SEND_CONFIG = Config(
    connect_timeout=CONNECT_WITHIN_S,
    read_timeout=ANSWER_WITHIN_S,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=50,
    parameter_validation=False,
    user_agent="paydispatch",
)
"""For sends to SQS. botocore must not retry them, because it would hide a lost answer behind a later refusal.

`adapters/aws/sqs_sends.py` retries them instead, and remembers lost answers. Our messages have checked fields, so that
botocore's check of its parameters finds nothing. A fixed user agent spares it the work of composing one for each call.
Both together are a sixth of a call's CPU time."""

_AFTER_SENDING = (HTTPClientError, BotoConnectionError, IncompleteReadError)
_NO_CONNECTION = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)


def certainly_not_done(error: Exception) -> bool:
    """Return whether the call had no effect: AWS refused it, or it never left this process.

    Every other call may have had one: a read timeout, a broken connection, an unreadable answer, a 5xx.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return 400 <= status < 500
    if isinstance(error, SSLError):
        return _is_refused_certificate(error)
    if isinstance(error, _NO_CONNECTION):
        return True
    return isinstance(error, BotoCoreError) and not isinstance(error, _AFTER_SENDING)


def _is_refused_certificate(error: SSLError) -> bool:
    """Return whether TLS refused the certificate. Only that proves that nothing was sent.

    TLS may also fail in the middle of an answer.
    """
    cause = error.kwargs.get("error")
    return any(
        isinstance(part, ssl.SSLCertVerificationError) for part in getattr(cause, "args", ())
    )


def code_of(error: Exception) -> str:
    """Return AWS's error code, or the name of botocore's error class. Neither holds an ARN or an account id."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or type(error).__name__)
    return type(error).__name__


_DENIED_CODES = {"AccessDenied", "AccessDeniedException"}


@contextmanager
def unavailable_for_aws_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        problem = error.response.get("Error", {})
        denied = problem.get("Code") in _DENIED_CODES
        raise (NotPermitted if denied else Unavailable)(
            f"{error.operation_name}: {problem.get('Code')}: {problem.get('Message')}"
        ) from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS: {type(error).__name__}: {error}") from error
