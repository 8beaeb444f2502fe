"""A table is submitted like a file of JSON lines: each row is one request, whatever its quotes and delimiters are."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.submission.submissions import API, report

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from paydispatch.testing.memory_delivery import MemoryDelivery

TABLE = Path("renewals.csv")
MAPPED = (
    *("--operation", "create_payment_intent", "--worker-id", "w", "--secret-ref", "shop"),
    *("--map", "amount=Betrag", "--map", "metadata[order]=Order", "--map", "context_id=Order"),
    *("--set", "currency=eur"),
)
ROWS = "Order;Betrag\n1001;2000\n1002;500\n"


def submit(text: str | bytes, *options: str, file: Path = TABLE) -> int:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return main(["submit", str(file), "--api", API, *(options or MAPPED)])


def sent(delivery: MemoryDelivery) -> list[dict[str, Any]]:
    return [dict(envelope.params) for envelope in delivery.envelopes]


def test_a_row_is_the_request_that_the_mapping_makes_of_it(delivery: MemoryDelivery) -> None:
    assert submit(ROWS) == 0
    assert sent(delivery) == [
        {"amount": "2000", "currency": "eur", "metadata": {"order": "1001"}},
        {"amount": "500", "currency": "eur", "metadata": {"order": "1002"}},
    ]
    assert [envelope.context_id for envelope in delivery.envelopes] == ["1001", "1002"]
    assert {envelope.operation for envelope in delivery.envelopes} == {"create_payment_intent"}


def test_without_a_mapping_each_column_is_the_field_of_its_name(delivery: MemoryDelivery) -> None:
    text = "operation,path[intent],amount_to_capture,worker_id,context_id,secret_ref\n"
    submit(text + "capture_payment_intent,pi_1,500,w,c,shop\n", "--json")
    (envelope,) = delivery.envelopes
    assert (envelope.path, envelope.params) == ({"intent": "pi_1"}, {"amount_to_capture": "500"})


@pytest.mark.parametrize(
    "text",
    [
        ROWS.replace("\n", "\r\n"),
        ROWS.rstrip("\n"),
        "\ufeff" + ROWS,
        ROWS.replace(";", ","),
        ROWS.replace(";", "\t"),
        ROWS.replace(";", "|"),
        ROWS.replace("1001;2000", '"1001";"2000"'),
        ROWS.replace("\n", "\n\n;\n"),
        ROWS.replace("Order;Betrag", " Order ;Betrag"),
    ],
    ids=["CRLF", "no end", "mark", "comma", "tab", "bar", "quotes", "blank rows", "spaces"],
)
def test_the_form_of_a_table_changes_no_request_of_its_run(
    text: str, delivery: MemoryDelivery
) -> None:
    submit(ROWS)
    assert submit(text) == 0
    assert len(delivery.envelopes) == 2


def test_any_text_survives_any_form_of_csv(delivery: MemoryDelivery) -> None:
    chance = random.Random(7)
    texts = [
        "".join(chance.choices("a,;|\t\"'\n\r\\ü€ 0=[]", k=chance.randint(1, 30))) + "."
        for _ in range(200)
    ]
    for number, delimiter in enumerate(",;\t|"):
        written = io.StringIO(newline="")
        ends = "\n" if number % 2 else "\r\n"
        quoting = csv.QUOTE_ALL if number % 2 else csv.QUOTE_MINIMAL  # which leaves CR alone open
        writer = csv.writer(written, delimiter=delimiter, lineterminator=ends, quoting=quoting)
        writer.writerow(["Order", "Betrag", "Text"])
        writer.writerows([str(row), "100", text] for row, text in enumerate(texts))
        delivery.envelopes.clear()
        file = Path(f"table-{number}.csv")
        assert submit(written.getvalue(), *MAPPED, "--map", "description=Text", file=file) == 0
        assert [params["description"] for params in sent(delivery)] == texts


def test_an_integer_with_a_point_is_refused_with_its_line(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = 'Order;Betrag;Text\n1001;2000;"one\ntwo"\n1002;20.00;x\n1003;5,00;\n'
    assert submit(quoted) == 1
    shown = capsys.readouterr().out
    assert "2 lines (4, 5): such as: Invalid amount: must be an integer (no decimal" in shown
    assert 'not "20.00"' in shown


@pytest.mark.parametrize("cells", ["1002", "1002;500;x"])
def test_a_row_of_another_width_is_refused_beside_the_others(
    cells: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(f"Order;Betrag\n1001;2000\n{cells}\n") == 1
    assert "and the header has 2." in capsys.readouterr().out
    assert len(delivery.envelopes) == 1


def test_a_changed_row_is_refused(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(ROWS)
    assert submit(ROWS.replace("500", "600")) == 2
    assert "Line 3 is not as run_" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Order;Betrag\n1001;"2000\n', "line 2, is not CSV: unexpected end of data"),
        ('Order;Betrag\n1001;"20"00\n', "line 2, is not CSV: ';' expected after '\"'"),
        ("Order;Betrag\r1001;2000\r", "is not CSV: a line ends with CR alone"),
        ("", "has no header"),
        ("\n;;\n", "has no header"),
        ("Order;Betrag;Order\n", "has two columns 'Order'"),
        ("Order;betrag\n", "has no column 'Betrag', only Order, betrag. Did you mean 'betrag'?"),
        ("Order;Betrag,x\n", "may be comma or semicolon"),
        (
            "Order;Betrag\n1001;\xfc".encode("latin-1"),
            "line 2, is not UTF-8. It holds the byte 0xFC",
        ),
        (ROWS.encode("utf-16"), "is UTF-16"),
    ],
)
def test_a_fault_of_the_whole_table_stops_before_anything_is_sent(
    text: str | bytes, said: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(text) == 2
    assert said in capsys.readouterr().err
    assert delivery.envelopes == []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--map", "amount"), "is not FIELD=COLUMN"),
        (("--map", "a[=b"), "is not a path"),
        (("--set", "stripe_secret=sk_test_" + "12345678"), "set STRIPE_SECRET_KEY"),
        (("--delimiter", "ab"), "is not one character"),
    ],
)
def test_a_wrong_option_is_named(
    option: tuple[str, ...],
    said: str,
    delivery: MemoryDelivery,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        submit(ROWS, *option)
    shown = capsys.readouterr().err
    assert said in shown
    assert "12345678" not in shown


def test_a_field_that_is_mapped_twice_is_refused(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(ROWS, *MAPPED, "--set", "amount=1") == 2
    assert "amount and amount are the same field" in capsys.readouterr().err


def test_a_mapping_of_a_file_that_is_no_table_is_refused(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit("{}", *MAPPED, file=Path("renewals.jsonl")) == 2
    assert "The name of a table ends with .csv or .tsv" in capsys.readouterr().err


def test_a_table_can_be_planned(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(ROWS, *MAPPED, "--plan", "--json")
    assert report(capsys)["operations"] == {"create_payment_intent": 2}
    assert json.loads(json.dumps(delivery.envelopes)) == []
