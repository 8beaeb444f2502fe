"""Queue messages for the Stripe caller: good ones from the API and direct producers, and spoilt ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fuzz.raw_events import HOSTILE_JSON, NAMES
from tests.smallest_params import is_accepted, smallest_params
from tests.unit.examples import KEY, NOW_S, SECRET_REF
from tests.unit.handlers.conftest import Client

from paydispatch.domain.credentials import Binding, StripeKey
from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from paydispatch.testing.memory_sealing import MemorySealer

_OPERATIONS = [
    operation
    for operation in all_operations()
    if is_accepted(operation, smallest_params(operation))
]
_TIMES = ("accepted_at", "deadline_at", "first_sent_at")
_ODD_TIMES = (None, 0, -1, 1e-300, NOW_S - 1e9, 253402300799, 253402300800, 1e300, True, "now")
_PRINCIPALS = ("local", "queue", "acme/role:x", "local/queue", "unreadable", "", "a/b/c", "é", 7)
_CHARACTERS = "\x00\x07\x1b\x7f\x85\ud800\u202e\ufeff\uffff\U0010ffff"
_HUGE = "x" * 600_000

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message on the queue."""

    message_id: str
    body: str
    how: str
    """`good`, or the name of the mutation."""


class Messages:
    """Makes messages. Everything follows from the random source."""

    def __init__(self, source: random.Random, sealer: MemorySealer) -> None:
        self._source = source
        self._sealer = sealer
        self._client = Client()
        self._client.sealer = sealer
        self._api = self._client.api()
        self._goods: list[Fields] = []
        self._made = 0

    def good(self) -> Sent:
        fields = self._fields()
        self._goods.append(fields)
        return self._sent(json.dumps(fields), "good")

    def spoilt(self) -> Sent:
        """Return a spoilt message: one of its own identity, or a forgery of a good one."""
        how = self._source.choice(list(_SPOILERS))
        text = _SPOILERS[how](self, self._fields())
        return self._sent(text, how)

    def _sent(self, body: str, how: str) -> Sent:
        self._made += 1
        return Sent(f"m-{self._made}", body, how)

    def _fields(self) -> Fields:
        return self._from_api() if self._source.random() < 0.5 else self._from_producer()

    def _from_api(self) -> Fields:
        operation = self._source.choice(_OPERATIONS)
        body = {
            "worker_id": f"worker-{self._source.randrange(9)}",
            "context_id": f"context-{self._source.randrange(99)}",
            "stripe_secret": KEY,
            "params": smallest_params(operation),
        }
        url = operation.path.format_map(dict.fromkeys(operation.path_names, "id_1"))
        answer = self._client.send(operation.method, url, body, api=self._api)
        assert answer.status == 202, answer.text
        fields: Fields = json.loads(self._client.queue.sent.pop().as_message())
        return fields

    def _from_producer(self) -> Fields:
        operation = self._source.choice(_OPERATIONS)
        return {
            "v": 2,
            "operation": operation.name,
            "object": operation.object,
            "path": dict.fromkeys(operation.path_names, "id_1"),
            "params": smallest_params(operation),
            "worker_id": f"worker-{self._source.randrange(9)}",
            "context_id": f"context-{self._source.randrange(99)}",
            "secret_ref": SECRET_REF,
        }

    # The mutations of a message with an identity of its own

    def flip_bytes(self, fields: Fields) -> str:
        raw = bytearray(json.dumps(fields).encode())
        for _ in range(self._source.randint(1, 4)):
            raw[self._source.randrange(len(raw))] ^= 1 << self._source.randrange(8)
        return raw.decode("utf-8", self._source.choice(("replace", "surrogateescape")))

    def insert_characters(self, fields: Fields) -> str:
        text = json.dumps(fields)
        place = self._source.randrange(len(text))
        return text[:place] + self._source.choice(_CHARACTERS) + text[place:]

    def drop_fields(self, fields: Fields) -> str:
        for name in self._source.sample(list(fields), self._source.randint(1, 3)):
            del fields[name]
        return json.dumps(fields)

    def repeat_a_field(self, fields: Fields) -> str:
        name = self._source.choice(list(fields))
        return json.dumps(fields)[:-1] + f",{json.dumps(name)}:{self._hostile()}}}"

    def retype_fields(self, fields: Fields) -> str:
        names = set(self._source.sample(list(fields), self._source.randint(1, 2)))
        pairs = [
            f"{json.dumps(name)}:{self._hostile() if name in names else json.dumps(value)}"
            for name, value in fields.items()
        ]
        return "{" + ",".join(pairs) + "}"

    def spoil_params(self, fields: Fields) -> str:
        name = self._source.choice((*fields["params"], "metadata", *NAMES))
        value = self._source.choice(("@", ["@"], {self._source.choice(NAMES): "@"}))
        marked = json.dumps({**fields, "params": {**fields["params"], name: value}})
        return marked.replace('"@"', self._hostile())

    def set_times(self, fields: Fields) -> str:
        return json.dumps(fields | {name: self._source.choice(_ODD_TIMES) for name in _TIMES})

    def set_progress(self, fields: Fields) -> str:
        numbers = (0, 1, 2, 49, 999_999, 1_000_000, 1_000_001, -1, 1.5, "1", None, True)
        names = ("attempt", "store_waits", "fresh_starts", "maybe_executed")
        return json.dumps(fields | {name: self._source.choice(numbers) for name in names})

    def set_version(self, fields: Fields) -> str:
        return json.dumps(fields | {"v": self._source.choice((0, 1, 3, 2.0, "2", None, [], 1e99))})

    def name_another_operation(self, fields: Fields) -> str:
        other = self._source.choice(_OPERATIONS)
        changed = {"operation": other.name, "object": other.object, "path": {"id": "../x", "": "?"}}
        return json.dumps(fields | dict(self._source.sample(list(changed.items()), 2)))

    def add_a_plaintext_key(self, fields: Fields) -> str:
        places: list[Fields] = [
            {"stripe_secret": KEY},
            {"context_id": KEY},
            {"worker_id": KEY},
            {"params": {**fields["params"], "metadata": {KEY: "1"}}},
            {"params": {**fields["params"], "description": f"the key is {KEY}."}},
            {"secret_ref": KEY},
            {"sealed_secret": KEY},
            {"request_id": KEY},
            {"traceparent": KEY},
            {KEY: 1},
            {"future": {"deep": [KEY]}},
        ]
        return json.dumps(fields | self._source.choice(places))

    def add_future_fields(self, fields: Fields) -> str:
        return json.dumps(fields | {f"future_{n}": {"n": [n]} for n in range(9)})

    def be_huge(self, fields: Fields) -> str:
        if self._source.random() < 0.9:  # a few are enough, because each takes long
            return self.drop_fields(fields)
        name = self._source.choice(("description", "context_id", "params", "future"))
        return json.dumps(fields | {name: _HUGE})

    def be_no_json(self, _: Fields) -> str:
        return self._source.choice(
            ("", " ", "\x00", "null", "[]", "1", '"x"', self._hostile(), KEY)
        )

    # Forgeries of a good message, which must not harm it

    def forge_a_principal(self, _: Fields) -> str:
        principal = self._source.choice([name for name in _PRINCIPALS if name != "queue"])
        named = {"principal": principal, "params": {}, "sealed_secret": "sealed-0"}
        return json.dumps(self._copy_of_good() | named)

    def move_a_seal(self, _: Fields) -> str:
        """Return a good message with the seal of another conversation."""
        binding = Binding("local", "elsewhere", "elsewhere")
        seal = self._sealer.seal(StripeKey(KEY), binding)
        return json.dumps(self._copy_of_good() | {"principal": "local", "sealed_secret": seal})

    def break_a_copy(self, _: Fields) -> str:
        """Return a good message that breaks the schema, under the same id and from the same principal."""
        broken = {"v": 9, "params": [], "attempt": -1, "lane": "fast", "deadline_at": "soon"}
        name = self._source.choice(list(broken))
        return json.dumps(self._copy_of_good() | {name: broken[name]})

    def _copy_of_good(self) -> Fields:
        fields = dict(self._source.choice(self._goods))
        fields.pop("secret_ref", None)
        return fields

    def _hostile(self) -> str:
        return self._source.choice(HOSTILE_JSON)


_SPOILERS: dict[str, Callable[[Messages, Fields], str]] = {
    spoiler.__name__: spoiler
    for spoiler in (
        *(Messages.flip_bytes, Messages.insert_characters, Messages.drop_fields),
        *(Messages.repeat_a_field, Messages.retype_fields, Messages.spoil_params),
        *(Messages.set_times, Messages.set_progress, Messages.set_version),
        *(Messages.name_another_operation, Messages.add_a_plaintext_key),
        *(Messages.add_future_fields, Messages.be_huge, Messages.be_no_json),
        *(Messages.forge_a_principal, Messages.move_a_seal, Messages.break_a_copy),
    )
}
