"""`paydispatch submit FILE`: submits a file of requests, resumably, and reports each refused line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import bearer_token
from paydispatch.cli.submission.arguments import (
    DESCRIPTION,
    EPILOG,
    add_arguments,
    request_file,
    target_of,
    use_queue,
)

if TYPE_CHECKING:
    import argparse

    from paydispatch.compose.dispatcher import Dispatcher

BUFFER_SIZE = 2_000
"""The requests that wait for the queue. The API takes 1,000 in one call, and the next 1,000 get ready meanwhile."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "submit", help="submit a file of requests", description=DESCRIPTION, epilog=EPILOG
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if all is well, and 1 if a line was refused, or if a request that was waited for is not done.

    Print the report also after an error. With `--plan` send nothing, and return 1 if a line has a fault.
    """
    from paydispatch.cli.submission.plan_page import show_plan
    from paydispatch.cli.submission.submission import Submission

    use_queue(arguments.queue_url)
    file = request_file(arguments)
    if arguments.plan:
        return show_plan(arguments, file)
    submission = Submission(arguments, file, target_of(arguments), partial(_dispatcher, arguments))
    try:
        submission.run()
    except BaseException:
        if submission.report.dealt_with:
            submission.show()
        raise
    submission.show()
    return 0 if submission.all_is_well else 1


def _dispatcher(arguments: argparse.Namespace) -> Dispatcher:
    from paydispatch.compose.dispatcher import Dispatcher

    if arguments.api:
        return Dispatcher.http(arguments.api, auth=bearer_token(), buffer_size=BUFFER_SIZE)
    return Dispatcher.from_env(buffer_size=BUFFER_SIZE)
