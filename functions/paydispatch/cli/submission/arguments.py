"""The arguments of `paydispatch submit`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import age_s, api_url
from paydispatch.cli.submission.csv_file import DELIMITERS, CsvFile
from paydispatch.cli.submission.files import JsonLinesFile
from paydispatch.cli.submission.ledger import run_id
from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.submission.columns import field_path
from paydispatch.domain.submission.defaults import Defaults
from paydispatch.domain.text.redaction import holds_key
from paydispatch.settings import MissingSetting, SdkSettings

if TYPE_CHECKING:
    from paydispatch.domain.credentials import Credential
    from paydispatch.domain.submission.columns import Place
    from paydispatch.services.submission.ports import RequestFile

DESCRIPTION = """\
Submit a file with one JSON object per line, each an item as in POST /v1/batches: with an object, which means its
create, or with an operation and the ids of its path. The ledger FILE.submitted stores the id of the run and the lines
that each API or queue has. If the command stops early, run it again: it submits the remaining lines, and no line twice.
Without a ledger a file is a new run, and its lines are new requests, even if an earlier file had the same lines. A line
with its own idempotency_key is the same request in every run. A line without a key uses --secret-ref, or else the
Stripe key in STRIPE_SECRET_KEY."""

EPILOG = """\
examples:
  paydispatch submit renewals.jsonl --plan
  paydispatch submit renewals.jsonl --secret-ref main --wait
  paydispatch submit renewals.jsonl --api https://api.example.com --json
  paydispatch submit renewals.csv --operation create_coupon --map id=Code --set percent_off=5 --plan
  paydispatch submit renewals.jsonl --secret-ref main --run run_0123456789abcdef

The last one continues a run after the loss of its ledger.

exit codes:
  0    all is well
  1    a line was refused or has a fault, or a request that was
       waited for is not done
  2    a changed file"""

CSV_NAMES = (".csv", ".tsv")
_DELIMITERS = {name: delimiter for delimiter, name in DELIMITERS.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="file with one JSON object per line, or a table whose name ends with .csv or .tsv",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--api", type=api_url, metavar="URL", help="submit to the HTTP API at this URL"
    )
    where.add_argument(
        "--queue-url",
        metavar="URL",
        help="submit to this queue (default: REQUEST_QUEUE_URL and BATCH_QUEUE_URL)",
    )
    parser.add_argument(
        "--run",
        dest="run_id",  # `run` is the command
        type=run_id,
        metavar="ID",
        help="continue this run after the loss of its ledger; the report of the run names the id (default: a new run)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="send nothing: show every fault, the number of requests of each operation, and how long they take",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="then wait for the outcomes, write each to the results, and print a summary. It asks the API, or Redis "
        "(REDIS_URL) if the lines went to a queue",
    )
    parser.add_argument(
        "--wait-at-most",
        type=age_s,
        default=86_400.0,
        metavar="AGE",
        help="end the wait after this time, such as 30m or 2h (default: 1d)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="PATH",
        help="file for the outcomes, one JSON object per line (default: FILE.results.jsonl)",
    )
    parser.add_argument("--secret-ref", metavar="NAME", help="secret_ref for lines without a key")
    parser.add_argument("--worker-id", metavar="W", help="worker_id for lines without one")
    _add_arguments_of_csv(parser.add_argument_group("a CSV file"))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_arguments_of_csv(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--map",
        action="append",
        default=[],
        type=place,
        metavar="FIELD=COLUMN",
        help="take this field from this column: amount=Betrag, 'metadata[order]=Order', context_id=Order. "
        "Repeat it for each field (default: each column is the field of its own name)",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        type=constant,
        metavar="FIELD=TEXT",
        help="give this field the same text in each request: currency=eur",
    )
    group.add_argument(
        "--operation", metavar="NAME", help="the operation of each row: create_payment_intent"
    )
    group.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="D",
        help="delimiter of the cells: comma, semicolon, tab, bar, or another character (default: the header shows it)",
    )


def place(text: str) -> Place:
    """Return the field and the column, or the text, of FIELD=COLUMN."""
    field, equals, named = text.partition("=")
    if not equals or not named:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=COLUMN, such as amount=Betrag")
    try:
        return field_path(field), named
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def constant(text: str) -> Place:
    """Return the field and the text of FIELD=TEXT. A key is refused, because other users of a machine see arguments."""
    field, text_of_field = place(text)
    if field == ("stripe_secret",) or holds_key(text):
        raise argparse.ArgumentTypeError("a Stripe key must not stand here: set STRIPE_SECRET_KEY")
    return field, text_of_field


def delimiter(text: str) -> str:
    found = _DELIMITERS.get(text, text)
    if len(found) != 1 or found in '"\r\n':
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one character, and not one of {', '.join(_DELIMITERS)}"
        )
    return found


def request_file(arguments: argparse.Namespace) -> RequestFile:
    """Return the file in its format. Raises `PaydispatchError` for a header or an option that does not fit."""
    for_csv = arguments.map or arguments.set or arguments.operation or arguments.delimiter
    if arguments.file.suffix.lower() in CSV_NAMES:
        named = [(("operation",), arguments.operation)] if arguments.operation else []
        constants = [*arguments.set, *named]
        return CsvFile(arguments.file, arguments.map, constants, arguments.delimiter)
    if for_csv:
        raise PaydispatchError(
            "--map, --set, --operation and --delimiter are for a table. "
            f"The name of a table ends with .csv or .tsv, unlike {arguments.file}."
        )
    return JsonLinesFile(arguments.file)


def defaults_of(arguments: argparse.Namespace) -> Defaults:
    """Return the values for lines without their own. Raises `InvalidField` for a wrong key or name of a secret."""
    return Defaults(worker_id=arguments.worker_id, credential=_credential(arguments.secret_ref))


def target_if_set(arguments: argparse.Namespace) -> str | None:
    """Return the target, or None if no variable names the queues. A plan needs none."""
    try:
        return target_of(arguments)
    except MissingSetting:
        return None


def target_of(arguments: argparse.Namespace) -> str:
    """Return the URL of the API, or the URLs of the queues, that the lines go to. Raises `MissingSetting`."""
    if arguments.api:
        return str(arguments.api)
    return " ".join(dict.fromkeys(SdkSettings.from_env().queue_urls.values()))


def use_queue(url: str | None) -> None:
    """Let both lanes use the queue of `--queue-url`."""
    if url:
        os.environ.update(REQUEST_QUEUE_URL=url, BATCH_QUEUE_URL=url)


def _credential(secret_ref: str | None) -> Credential | None:
    if secret_ref is not None:
        return SecretRef(secret_ref)
    key = os.environ.get("STRIPE_SECRET_KEY")
    return StripeKey(key, field="STRIPE_SECRET_KEY") if key else None
