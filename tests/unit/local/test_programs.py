"""The command lines of the programs of a local stack."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from paydispatch.cli.commands import local
from paydispatch.local import programs
from paydispatch.local.event_route import SECRET_ID, EventRoute
from paydispatch.local.settings import LocalSettings
from paydispatch.twin.serving.options import TwinOptions, add_options, options_of

if TYPE_CHECKING:
    from pathlib import Path


def twin_of(settings: LocalSettings, webhooks: Path | None = None) -> TwinOptions:
    """Return the options that the twin of a stack reads from its command line."""
    command = programs.twin(settings, webhooks, port=1).command
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


def test_the_twin_of_a_stack_sends_no_events_unless_it_is_told_where() -> None:
    assert twin_of(LocalSettings()).webhooks == ()


def test_the_twin_of_a_stack_sends_its_events_to_the_api(tmp_path: Path) -> None:
    route = EventRoute.open("http://127.0.0.1:1", tmp_path)
    settings = LocalSettings(events=True, event_faults={"late": 0.5})
    options = twin_of(settings, route.file)
    assert options.webhooks == ({"url": route.url, "secret": route.secret},)
    assert options.event_faults == {"late": 0.5}
    assert route.url == "http://127.0.0.1:1/v1/stripe/events/local"


def test_the_secret_of_the_events_is_in_a_private_file_and_not_in_the_command(
    tmp_path: Path,
) -> None:
    route = EventRoute.open("http://127.0.0.1:1", tmp_path)
    assert route.file.stat().st_mode & 0o777 == 0o600
    assert route.secret not in repr(route)
    assert route.secret not in " ".join(programs.twin(LocalSettings(), route.file, 1).command)
    assert EventRoute.open("http://127.0.0.1:1", tmp_path).secret != route.secret
    assert SECRET_ID == "paydispatch/local/webhook/local"


@pytest.mark.parametrize(("words", "events"), [([], True), (["--no-events"], False)])
def test_paydispatch_local_sends_events_unless_it_is_told_not_to(
    words: list[str], events: bool
) -> None:
    assert settings_of("--flows", "flows", *words).events is events
