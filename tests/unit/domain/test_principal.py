"""Principals and their tenants."""

import json
import re
from pathlib import Path

import pytest

from paydispatch.domain import message
from paydispatch.domain.errors import InvalidField
from paydispatch.domain.identity.principal import LOCAL, QUEUE, Principal, tenant_of


def test_a_principal_is_written_as_tenant_and_subject() -> None:
    assert str(Principal("shop", "checkout")) == "shop/checkout"


def test_a_tenant_that_is_its_own_subject_is_one_word() -> None:
    assert str(LOCAL) == "local"


@pytest.mark.parametrize(
    "principal",
    [
        LOCAL,
        Principal("shop", "checkout"),
        Principal("a", "b@c"),
        Principal("shop", "auth0|5f7c"),
        Principal("123456789012", "user:division/team/bob"),
        Principal("shop", "queue"),
    ],
    ids=str,
)
def test_the_tenant_is_read_from_a_written_principal(principal: Principal) -> None:
    assert tenant_of(str(principal), "the queue's") == principal.tenant


def test_a_direct_producer_belongs_to_the_tenant_of_the_queue() -> None:
    assert tenant_of(QUEUE, "shop") == "shop"


@pytest.mark.parametrize("word", ["", "a/b", "a|b", "a,b", "a b", "ü", "a\n", "x" * 129, "{a}"])
def test_a_tenant_with_a_forbidden_character_or_length_is_refused(word: str) -> None:
    with pytest.raises(InvalidField, match="tenant of a principal"):
        Principal(word, "subject")


@pytest.mark.parametrize("word", ["", "a b", "ü", "a\n", "x" * 641, "{a}", 'a"b', "a\\b"])
def test_a_subject_with_a_forbidden_character_or_length_is_refused(word: str) -> None:
    with pytest.raises(InvalidField, match="subject of a principal"):
        Principal("tenant", word)


def test_the_schema_of_messages_takes_every_principal() -> None:
    schema = json.loads((Path(message.__file__).parent / "envelope.v2.json").read_text())
    pattern = re.compile(schema["properties"]["principal"]["pattern"])

    for subject in ("auth0|5f7c", "user:a/b/c", "x" * 640):
        assert pattern.fullmatch(str(Principal("t" * 128, subject)))
    assert not pattern.fullmatch("tenant/")
    assert not pattern.fullmatch("ten|ant/subject")


def test_no_principal_can_have_the_name_of_the_queue() -> None:
    with pytest.raises(InvalidField):
        Principal(QUEUE, QUEUE)
