"""The command lines of the programs of a local stack."""

from __future__ import annotations

import argparse

import pytest

from paydispatch.cli.commands import local
from paydispatch.local import programs
from paydispatch.local.settings import LocalSettings
from paydispatch.twin.serving.options import TwinOptions, add_options, options_of


def twin_of(settings: LocalSettings) -> TwinOptions:
    """Return the options that the twin of a stack reads from its command line."""
    command = programs.twin(settings, port=1).command
    parser = argparse.ArgumentParser()
    add_options(parser)
    return options_of(parser.parse_known_args(command[3:])[0])


def settings_of(*words: str) -> LocalSettings:
    """Return the settings of `paydispatch local` with these arguments."""
    parser = argparse.ArgumentParser()
    local.add_parser(parser.add_subparsers())
    return local._settings(parser.parse_args(["local", *words]))


def test_the_twin_of_a_stack_is_strict_and_has_no_rate_limits() -> None:
    options = twin_of(LocalSettings())
    assert options.strict
    assert options.rates is not None
    assert options.rates.live is None


def test_the_twin_of_a_lenient_stack_is_lenient() -> None:
    assert not twin_of(LocalSettings(lenient=True)).strict


@pytest.mark.parametrize(("words", "lenient"), [([], False), (["--lenient"], True)])
def test_paydispatch_local_is_strict_unless_it_is_lenient(words: list[str], lenient: bool) -> None:
    assert settings_of("--flows", "flows", *words).lenient is lenient


def test_another_stripe_cannot_be_lenient(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_of("--lenient", "--stripe-base", "https://api.stripe.com")
    assert "not allowed with" in capsys.readouterr().err
