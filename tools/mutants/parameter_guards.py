"""The guards of the check of parameters, each with the edit that breaks it and the sentence that it makes false."""

from __future__ import annotations

from guard import SOURCE, Guard

PARAMETERS = SOURCE + "domain/parameters/"
READ_MESSAGE = SOURCE + "domain/message/read_message.py"

NO_CARD_DATA = "No number and no security code of a card is in a queue, a stream or a log."
OWN_NAMES = "A caller cannot overwrite what paydispatch sends itself."
WIRE_FORM = "A scalar passes exactly if its text on the wire is of the right type."
NO_FALSE_REFUSAL = "What Stripe takes is not refused."
PLAIN = "The queue message holds plain JSON, whatever values a program passes."

CARDS = ("tests/unit/test_card_data_at_every_way_in.py", "tests/unit/schema/test_card_data.py")
UNCHECKED = ("tests/unit/test_unchecked_params.py",)
SCHEMA = ("tests/unit/schema",)
VALUES = ("tests/unit/sdk/test_python_values.py",)

PARAMETER_GUARDS = (
    Guard(
        "card: raw card data in params is accepted",
        NO_CARD_DATA,
        PARAMETERS + "check.py",
        "faults_of_secrets(params) or faults_of_card_data(object_name, params)",
        "faults_of_secrets(params)",
        CARDS,
    ),
    Guard(
        "card: raw card data in unchecked_params is accepted",
        NO_CARD_DATA,
        PARAMETERS + "unchecked.py",
        'faults_of_secrets(field) or faults_of_card_data("", field)',
        "faults_of_secrets(field)",
        CARDS,
    ),
    Guard(
        "card: the quick check does not look for card data",
        NO_CARD_DATA,
        PARAMETERS + "json_values.py",
        'if "number" in value or "cvc" in value:',
        "if False:",
        CARDS,
    ),
    Guard(
        "card: a queue message with raw card data becomes an envelope",
        NO_CARD_DATA,
        READ_MESSAGE,
        "    if card_data is not None:",
        "    if False:",
        CARDS,
    ),
    Guard(
        "card: the error flow of an unreadable message gets card data",
        NO_CARD_DATA,
        READ_MESSAGE,
        "redact_json(hide_card_data(object_name, params))",
        "redact_json(params)",
        CARDS,
    ),
    Guard(
        "card: a parked message keeps card data",
        NO_CARD_DATA,
        SOURCE + "services/call_batch.py",
        "hide_card_data_in_text(redact(message.body))",
        "redact(message.body)",
        CARDS,
    ),
    Guard(
        "unchecked: a name in brackets is accepted",
        OWN_NAMES,
        PARAMETERS + "unchecked.py",
        'if not name or "[" in str(name) or "]" in str(name):',
        "if not name:",
        UNCHECKED,
    ),
    Guard(
        "unchecked: an option of the call is accepted",
        OWN_NAMES,
        PARAMETERS + "unchecked.py",
        "        if hint:",
        "        if False:",
        UNCHECKED,
    ),
    Guard(
        "unchecked: metadata that is no object is accepted",
        OWN_NAMES,
        PARAMETERS + "unchecked.py",
        'if name == "metadata" and not isinstance(value, dict):',
        "if False:",
        UNCHECKED,
    ),
    Guard(
        "unchecked: Stripe does not get them",
        NO_FALSE_REFUSAL,
        SOURCE + "services/call_stripe.py",
        "    params = envelope.sent_params\n",
        "    params = envelope.params\n",
        UNCHECKED,
    ),
    Guard(
        "unchecked: the fingerprint leaves them out",
        "One id stands for one thing asked of Stripe.",
        SOURCE + "domain/claims.py",
        "params=envelope.sent_params",
        "params=envelope.params",
        UNCHECKED,
    ),
    Guard(
        "wire form: a fraction is accepted for an integer",
        WIRE_FORM,
        PARAMETERS + "wire_schema.py",
        '"pattern": "^-?[0-9]{1,309}$"',
        '"pattern": "^-?[0-9.]{1,309}$"',
        SCHEMA,
    ),
    Guard(
        "wire form: only true JSON types are accepted",
        NO_FALSE_REFUSAL,
        PARAMETERS + "json_values.py",
        "return str.__str__(value) if isinstance(value, str) else text_of(value)",
        "return value",
        SCHEMA,
    ),
    Guard(
        "rules: the schema engine accepts a body that breaks a rule",
        "What Stripe certainly refuses is refused before the queue.",
        PARAMETERS + "rules.py",
        '{"allOf": [{"not": {"required": list(pair)}} for pair in pairs]}',
        "{}",
        SCHEMA,
    ),
    Guard(
        "values: a subclass of str reaches the message",
        PLAIN,
        PARAMETERS + "plain_values.py",
        "return str.__str__(value)  # because",
        "return value  # because",
        VALUES,
    ),
)
