"""Each alarm has a paragraph, each of its metrics has a source, and the dashboard shows metrics that exist."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from stack_template import TEMPLATE, load
from tests.architecture.chosen_stack import choose

ROOT = TEMPLATE.parent
STACK = load()
ALARMS = load(ROOT / "infra/alarms.yaml")
DASHBOARD = load(ROOT / "infra/dashboard.yaml").resources["Dashboard"]["Properties"]
OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")
ANCHORS = {
    re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
    for heading in re.findall(r"^#+ (.+)$", OPERATIONS, re.MULTILINE)
}
CODE = "\n".join(path.read_text() for path in (ROOT / "functions/paydispatch").rglob("*.py"))
FILTERS = [
    transformation
    for metric_filter in ALARMS.of_type("AWS::Logs::MetricFilter").values()
    for transformation in metric_filter["MetricTransformations"]
]


def metrics_of(alarm: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the namespace and name of each metric of an alarm."""
    if "MetricName" in alarm:
        return [(alarm["Namespace"], alarm["MetricName"])]
    of_all = (
        part.get("Fn::If", ["", part])[1] for part in alarm["Metrics"] if "Expression" not in part
    )
    found = [part["MetricStat"]["Metric"] for part in of_all]
    return [(metric["Namespace"], metric["MetricName"]) for metric in found]


def has_source(metric: str) -> bool:
    """Return whether the code counts the metric, or a filter makes it from log lines."""
    return f'"{metric}"' in CODE or metric in {made["MetricName"] for made in FILTERS}


@pytest.mark.parametrize("name", ALARMS.of_type("AWS::CloudWatch::Alarm"))
def test_an_alarm_names_a_paragraph_that_exists(name: str) -> None:
    said = ALARMS.resources[name]["Properties"]["AlarmDescription"]
    found = re.search(r"docs/operations\.md#([a-z0-9-]+)$", said)

    assert found is not None
    assert found[1] in ANCHORS


def test_every_paragraph_below_alarms_has_an_alarm() -> None:
    below = OPERATIONS.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    paragraphs = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^### (.+)$", below, re.MULTILINE)
    }
    named = {
        alarm["AlarmDescription"].partition("#")[2]
        for alarm in ALARMS.of_type("AWS::CloudWatch::Alarm").values()
    }

    assert paragraphs == named


@pytest.mark.parametrize("name", ALARMS.of_type("AWS::CloudWatch::Alarm"))
def test_an_alarm_watches_metrics_that_exist(name: str) -> None:
    ours = [
        metric
        for namespace, metric in metrics_of(ALARMS.resources[name]["Properties"])
        if namespace == "paydispatch"
    ]

    assert [metric for metric in ours if not has_source(metric)] == []


def test_the_dashboard_shows_metrics_that_exist() -> None:
    body = json.loads(DASHBOARD["DashboardBody"]["Fn::Sub"])
    shown = {
        metric[1]
        for widget in body["widgets"]
        for metric in widget["properties"]["metrics"]
        if metric[0] == "paydispatch"
    }

    assert shown
    assert {metric for metric in shown if not has_source(metric)} == set()


def test_a_filter_reads_a_line_that_the_code_writes() -> None:
    lines = {
        line
        for metric_filter in ALARMS.of_type("AWS::Logs::MetricFilter").values()
        for line in re.findall(r'\$\.message = "([^"]+)"', metric_filter["FilterPattern"])
    }

    assert {line for line in lines if f'"{line}"' not in CODE} == set()


def test_each_queue_of_dead_letters_and_each_lane_has_an_alarm() -> None:
    watched = {
        dimension["Value"]["Ref"]
        for alarm in ALARMS.of_type("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", ())
        if dimension["Name"] == "QueueName"
    }

    assert watched == set(STACK.queues) - {"LookQueue"}


def test_an_alarm_watches_the_errors_of_each_function() -> None:
    watched = {
        part["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
        for alarm in ALARMS.of_type("AWS::CloudWatch::Alarm").values()
        for given in alarm.get("Metrics", ())
        if (part := given.get("Fn::If", ["", given])[1]).get("MetricStat")
        and part["MetricStat"]["Metric"]["MetricName"] == "Errors"
    }

    assert watched == set(STACK.of_type("AWS::Serverless::Function"))


@pytest.mark.parametrize("runner", ["lambda", "worker", "none"])
def test_no_alarm_watches_what_the_stack_does_not_have(runner: str) -> None:
    """A parameter without a value would be an empty dimension, which CloudWatch refuses."""
    root = choose(STACK, FlowRunner=runner)
    given = {
        name: "" if value == "" else "there"
        for name, value in root.resources["AlarmStack"]["Properties"]["Parameters"].items()
    }
    chosen = choose(ALARMS, **given)

    empty = {name for name, value in given.items() if value == ""}
    used = set(re.findall(r"'Ref': '(\w+)'", repr(chosen.resources)))
    assert used & empty == set()
