"""The answers of a Redis server that is the wrong node, as redis-py reads them."""

from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as FailedConnection

from paydispatch.adapters.redis.wrong_node import is_of_a_wrong_node

WRONG = [
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 3f8a, on @user_script:1.",
    "ERR Error running script (call to f_3f8a): @user_script:3: @user_script: 3: -READONLY You can't write "
    "against a read only replica.",
    "MOVED 3999 10.0.0.1:6379",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "NOREPLICAS Not enough good replicas to write.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
]
RIGHT = [
    "ERR unknown command 'READONLY-ish'",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOPERM this user has no permissions to run the 'publish' command",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOGROUP No such key 'pd:{READONLY}:outcomes' or consumer group 'flows'",
]


def read(answer: str) -> ResponseError:
    error = BaseParser.parse_error(answer)
    assert isinstance(error, ResponseError)
    return error


@pytest.mark.parametrize("answer", WRONG)
def test_an_answer_of_the_wrong_node_is_recognised(answer: str) -> None:
    assert is_of_a_wrong_node(read(answer))


@pytest.mark.parametrize("answer", RIGHT)
def test_any_other_error_is_an_answer_of_the_right_node(answer: str) -> None:
    assert not is_of_a_wrong_node(read(answer))


def test_redis_py_treats_a_server_that_loads_its_data_as_a_failed_connection() -> None:
    error = BaseParser.parse_error("LOADING Redis is loading the dataset in memory")
    assert isinstance(error, BusyLoadingError)
    assert isinstance(error, FailedConnection)
