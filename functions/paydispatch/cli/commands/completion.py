"""`paydispatch completion SHELL`: prints the lines with which a shell completes commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.cli.terminal import say_lines

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "completion",
        help="print the completion of a shell",
        description="Print the lines with which a shell completes the commands, their options and the names of files.",
        epilog="""\
examples:
  eval "$(paydispatch completion bash)"
  eval "$(paydispatch completion zsh)"
  paydispatch completion fish > ~/.config/fish/completions/paydispatch.fish

The first two are lines for ~/.bashrc and ~/.zshrc.""",
    )
    parser.add_argument(
        "shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0."""
    from argcomplete.shell_integration import shellcode

    say_lines(shellcode(["paydispatch"], shell=arguments.shell))  # only a name # nosec B604
    return 0
