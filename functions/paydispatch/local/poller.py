"""One execution environment of the Stripe caller, with a poller that receives messages for it from a queue.

    python -m paydispatch.local.poller --name poller-batch-1 --queue-url URL \
        --handler paydispatch.local.lambdas.stripe_caller.handler --batch-size 100 --timeout-s 30

It works like the SQS event source of Lambda. It receives messages and calls the unchanged handler with one event at a
time. It deletes the messages that the handler's answer does not name as failed. The others become visible again after
the visibility timeout.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from paydispatch.local.lambdas.handlers import Handler, load_handler
from paydispatch.local.lambdas.lambda_context import LambdaContext
from paydispatch.local.lambdas.sqs_event import ids_to_delete, queue_arn, sqs_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

FUNCTION_NAME = "paydispatch-stripe-caller"

_RECEIVE_MOST = 10
# Short, because a stopping poller waits for the end of its receive call. If it abandoned the call, SQS could still hand
# out messages to it.
_LONG_POLL_S = 1


class Poller:
    """Passes batches from one queue to one handler until `stop` is called."""

    def __init__(
        self, sqs: SQSClient, queue_url: str, handler: Handler, *, batch_size: int, timeout_s: float
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._arn = queue_arn(queue_url, sqs.meta.region_name)
        self._handler = handler
        self._batch_size = batch_size
        self._timeout_s = timeout_s
        self._stopping = False

    def stop(self) -> None:
        """Make `run` return after the current batch."""
        self._stopping = True

    def run(self) -> None:
        while not self._stopping:
            try:
                self.run_once()
            except (BotoCoreError, ClientError) as error:
                # SQS delivers a received message that was not deleted again after its visibility timeout.
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                time.sleep(_LONG_POLL_S)

    def run_once(self) -> None:
        if messages := self.gather():
            self.work(messages)

    def gather(self) -> list[MessageTypeDef]:
        """Wait for a first message, then receive the messages that are available, up to the batch size."""
        messages = self._receive(_LONG_POLL_S, self._batch_size)
        last = len(messages)
        while last == _RECEIVE_MOST and len(messages) < self._batch_size:
            more = self._receive(0, self._batch_size - len(messages))
            messages += more
            last = len(more)
        return messages

    def work(self, messages: Sequence[MessageTypeDef]) -> None:
        """Call the handler with one batch, and delete the messages that it handled."""
        ids = [message["MessageId"] for message in messages]
        handled = self._invoke(ids, sqs_event(messages, self._arn))
        self._delete([message for message in messages if message["MessageId"] in handled])

    def _receive(self, wait_s: int, most: int) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(_RECEIVE_MOST, most),
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _invoke(self, ids: Sequence[str], event: dict[str, Any]) -> set[str]:
        """Call the handler and return the ids that it handled. After an exception it handled none."""
        deadline = threading.Timer(self._timeout_s, _end_as_lambda_does, [self._timeout_s])
        deadline.daemon = True
        deadline.start()
        try:
            answer = self._handler(event, LambdaContext(FUNCTION_NAME, self._timeout_s))
        except Exception:
            traceback.print_exc()
            return set()
        finally:
            deadline.cancel()
        return ids_to_delete(ids, answer)

    def _delete(self, messages: Sequence[MessageTypeDef]) -> None:
        for start in range(0, len(messages), _RECEIVE_MOST):
            chunk = messages[start : start + _RECEIVE_MOST]
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                for place, message in enumerate(chunk)
            ]
            answer = self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            for failed in answer.get("Failed", []):
                print(f"not deleted: {failed['Code']}: {failed.get('Message')}", file=sys.stderr)


def _end_as_lambda_does(timeout_s: float) -> None:
    """End this process, as Lambda ends the environment of a function that times out. The stack starts another."""
    print(f"Task timed out after {timeout_s:.2f} seconds", file=sys.stderr, flush=True)
    os._exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Feed a Lambda handler from an SQS queue.")
    parser.add_argument("--name", required=True, help="name of this part")
    parser.add_argument("--queue-url", required=True, help="queue to receive from")
    parser.add_argument("--handler", required=True, help="entry point, as package.module.function")
    parser.add_argument("--batch-size", type=int, required=True, help="messages per call at most")
    parser.add_argument(
        "--timeout-s", type=float, required=True, help="seconds that one call may take"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    poller = Poller(
        boto3.client("sqs"),
        arguments.queue_url,
        load_handler(arguments.handler),
        batch_size=arguments.batch_size,
        timeout_s=arguments.timeout_s,
    )
    signal.signal(signal.SIGTERM, lambda *_: poller.stop())
    print(json.dumps({"ready": arguments.name}), flush=True)
    poller.run()


if __name__ == "__main__":
    main()
