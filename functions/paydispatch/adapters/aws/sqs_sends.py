"""Sends to SQS that are retried a few times within a time limit, and that remember lost answers.

A retry sends the same messages again. That is harmless, because a message with a known request id is a duplicate.
"""

from __future__ import annotations

import logging
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from paydispatch.adapters.aws.errors import (
    ANSWER_WITHIN_S,
    CONNECT_WITHIN_S,
    certainly_not_done,
    code_of,
)
from paydispatch.domain.credentials import redact
from paydispatch.domain.errors import MaybeAccepted, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

SEND_ATTEMPTS = 3
BEGIN_WITHIN_S = 6.0
"""The time limit from the begin of a send to the begin of its last attempt, for all its messages together."""

LONGEST_SEND_S = BEGIN_WITHIN_S + CONNECT_WITHIN_S + ANSWER_WITHIN_S
PAUSE_S = 0.2

_log = logging.getLogger("paydispatch.aws")

Result = Unavailable | None


class Message(NamedTuple):
    """One message for a batch. Its text is ASCII."""

    request_id: str
    text: str
    group: str | None = None
    """The `MessageGroupId`, by which a fair queue orders it."""

    def as_entry(self, entry_id: str) -> dict[str, str]:
        entry = {"Id": entry_id, "MessageBody": self.text}
        return entry if self.group is None else {**entry, "MessageGroupId": self.group}


class UnreadableAnswer(Exception):
    """The answer of SQS says success, but it names no message."""


class SqsSends:
    """Sends with a client that does not retry, and retries itself."""

    def __init__(self, sqs: SQSClient, *, begin_within_s: float = BEGIN_WITHIN_S) -> None:
        """Raises `ValueError` for a client that retries calls, because it hides lost answers."""
        config: Any = sqs.meta.config
        if (config.retries or {}).get("total_max_attempts") != 1:
            raise ValueError(
                "The SQS client must be made with SEND_CONFIG, so that it does not retry."
            )
        self._sqs = sqs
        self._begin_within_s = begin_within_s

    def until(self) -> float:
        """Return the time (monotonic seconds) until which a send that begins now may begin attempts."""
        return time.monotonic() + self._begin_within_s

    def send_batch(self, queue_url: str, messages: Sequence[Message], until: float) -> list[Result]:
        """Send up to ten messages in one call. Return for each None if SQS accepted it, else the error."""
        entries: list[Any] = [message.as_entry(str(i)) for i, message in enumerate(messages)]
        call = partial(self._sqs.send_message_batch, QueueUrl=queue_url, Entries=entries)
        try:
            answer, in_doubt = _repeat(call, until)
        except Unavailable as error:
            return [error] * len(messages)
        return [_result(answer, str(i), in_doubt) for i in range(len(messages))]

    def send_one(self, **message: Any) -> None:
        """Send one message. Raises `Unavailable`, or `MaybeAccepted` when an answer was lost."""
        _repeat(partial(self._sqs.send_message, **message), self.until())


def _repeat(call: Callable[[], Mapping[str, Any]], until: float) -> tuple[Mapping[str, Any], bool]:
    """Call until SQS answers. Return the answer, and whether the answer to an earlier attempt was lost.

    Raises `MaybeAccepted` if any attempt may have had an effect, else `Unavailable`.
    """
    error = Unavailable("The message was not sent, because SQS took too long for those before it.")
    in_doubt = False
    for attempt in range(SEND_ATTEMPTS):
        if (
            attempt
        ):  # a sleep of 0 gives other processes the turn, for milliseconds on a busy machine
            time.sleep(random.SystemRandom().random() * PAUSE_S * attempt)
        if time.monotonic() >= until:
            break
        try:
            return _check_answer(call()), in_doubt
        except Exception as failure:
            in_doubt = in_doubt or not certainly_not_done(failure)
            error = _to_error(code_of(failure), str(failure), in_doubt=in_doubt)
            error.__cause__ = failure
    raise error


def _check_answer(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer. Raises `UnreadableAnswer` if it is empty, because botocore reads a cut-off answer so."""
    if not any(answer.get(name) for name in ("Successful", "Failed", "MessageId")):
        raise UnreadableAnswer
    return answer


def _result(answer: Mapping[str, Any], entry_id: str, in_doubt: bool) -> Result:
    if any(entry.get("Id") == entry_id for entry in answer.get("Successful", ())):
        return None
    for entry in answer.get("Failed", ()):
        if entry.get("Id") == entry_id:
            return _to_error(entry["Code"], entry.get("Message", ""), in_doubt=in_doubt)
    return _to_error(UnreadableAnswer.__name__, "the answer does not name a message", in_doubt=True)


def _to_error(code: str, text: str, *, in_doubt: bool) -> Unavailable:
    """Return the error without AWS's own text, which may name users and accounts and goes only to the log."""
    _log.warning("A send to SQS failed: %s: %s", code, redact(text))
    if in_doubt:
        return MaybeAccepted(f"The answer of SQS was lost ({code}). SQS may have the message.")
    return Unavailable(f"SQS did not accept the message ({code}).")
