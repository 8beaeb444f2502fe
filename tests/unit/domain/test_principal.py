"""Who asks, and whose secrets a name can reach."""

import pytest

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.principal import LOCAL, QUEUE, Principal, tenant_of


def test_a_principal_is_written_as_tenant_and_subject() -> None:
    assert str(Principal("shop", "checkout")) == "shop/checkout"


def test_a_tenant_that_is_its_own_subject_is_one_word() -> None:
    assert str(LOCAL) == "local"


@pytest.mark.parametrize("principal", [LOCAL, Principal("shop", "checkout"), Principal("a", "b@c")])
def test_the_tenant_is_found_again_in_what_was_written(principal: Principal) -> None:
    assert tenant_of(str(principal), "the queue's") == principal.tenant


def test_a_direct_producer_stands_for_the_queues_tenant() -> None:
    assert tenant_of(QUEUE, "shop") == "shop"


@pytest.mark.parametrize("word", ["", "a/b", "a b", "ü", "a\n", "x" * 129, "{a}"])
def test_a_word_that_could_be_read_as_another_tenants_is_refused(word: str) -> None:
    with pytest.raises(InvalidField):
        Principal(word, "subject")
    with pytest.raises(InvalidField):
        Principal("tenant", word)


def test_nobody_signs_in_as_the_queue() -> None:
    with pytest.raises(InvalidField):
        Principal(QUEUE, QUEUE)
