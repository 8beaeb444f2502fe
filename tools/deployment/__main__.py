"""Builds the stack with the flows of a project, deploys it to an emulated AWS account, and runs a program against it.

    make deploy-here FLOWS=../shop/flows REQUIREMENTS=../shop/requirements.txt PROGRAM='python ../shop/pay.py'

The program has the environment that `paydispatch env` prints. What the flows print is on stdout. The command ends when
the program has ended and no request is on its way. Without a program it prints the environment, and stays until Ctrl-C.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from account import EmulatedAccount
from deployment import STACK, DeploymentFailed, build, deploy
from run_event import prepare_runtime

from paydispatch.local.processes import PartFailed

if TYPE_CHECKING:
    from deployment import Deployment

IDLE_WITHIN_S = 300.0
_PRINT_EVERY_S = 0.2
LEFT_OUT = (
    ("the network and Redis of the stack", "MiniStack has no NAT gateway and no Redis users"),
    ("alarms, metric filters and the dashboard", "MiniStack has no metric filters"),
    ("the rights in IAM, in policies of queues and of the key", "MiniStack does not enforce them"),
    ("the sign-in with IAM at the API", "MiniStack does not check signatures"),
)
"""What an emulated deployment does not show, with the reason."""


class FlowLines:
    """Prints what the deployed flows print, for a `with` block."""

    def __init__(self, deployment: Deployment) -> None:
        self._functions = deployment.account.functions
        self._printed = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._print_new()

    def _follow(self) -> None:
        while not self._ended.wait(_PRINT_EVERY_S):
            self._print_new()

    def _print_new(self) -> None:
        lines = self._functions.logs("FlowRunner")
        for line in lines[self._printed :]:
            print(line, flush=True)
        self._printed = len(lines)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    try:
        build(options.uv, options.flows, options.requirements)
        with EmulatedAccount(prepare_runtime(options.emulator, options.uv)) as account:
            return _use(deploy(account, options.sam), shlex.split(options.program or ""))
    except (DeploymentFailed, PartFailed, TimeoutError) as failure:
        print(f"deploy-here: {failure}", file=sys.stderr)
        return 1


def _use(deployment: Deployment, program: list[str]) -> int:
    for what, reason in LEFT_OUT:
        print(f"not shown here: {what}, because {reason}", file=sys.stderr)
    with FlowLines(deployment):
        if program:
            code = deployment.run(program)
            deployment.wait_until_idle(IDLE_WITHIN_S)
            return code
        _show(deployment)
        signal.sigwait({signal.SIGINT})
        return 0


def _show(deployment: Deployment) -> None:
    print(f"deployed as {STACK}. In another shell, until Ctrl-C here:", file=sys.stderr)
    for name, value in deployment.variables.items():
        print(f"export {name}={shlex.quote(value)}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flows", type=Path, help="folder of the flow scripts (default: ours)")
    parser.add_argument("--requirements", type=Path, help="the libraries of the flows")
    parser.add_argument(
        "--program", help="program to run against the stack (default: wait for Ctrl-C)"
    )
    parser.add_argument("--emulator", type=Path, required=True, help="folder with aws-lambda-rie-*")
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument(
        "--sam", nargs=argparse.REMAINDER, required=True, help="the sam command, as the last option"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
