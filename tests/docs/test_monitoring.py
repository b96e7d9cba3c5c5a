"""The dashboard, the alert rules and the runbook in docs/monitoring against the metrics of a server and of a worker."""

import json
import re
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.errors import Code
from app.observability import metrics
from app.observability.requests import OK
from tests.docs.pages import DOCS, ROOT
from tests.support.api import Api
from tests.support.world import Cast

MONITORING = ROOT / "docs" / "monitoring"
DASHBOARD: Any = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
RULES: list[Any] = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
RUNBOOK = (MONITORING / "runbook.md").read_text(encoding="utf-8")
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [each["expr"] for panel in PANELS for each in panel["targets"]]

METRIC = re.compile(r"\b(lead_offers_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
LABEL_OF_SAMPLE = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")
BY_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds itself."""


@pytest.fixture
async def exposed(api: Api, cast: Cast) -> dict[str, set[str]]:
    """The names of all samples of `/metrics` and of a worker's metrics, with their labels."""
    await api.user(cast.bob).ask("query Me { me { id } }")
    metrics.CLAIMS.labels("App")
    samples: dict[str, set[str]] = {}
    for text in ((await api.http.get("/metrics")).text, generate_latest(metrics.registry).decode()):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_metrics_and_labels_exist(expression: str, exposed: dict[str, set[str]]) -> None:
    used = METRIC.findall(expression)
    assert used
    for name, conditions in used:
        assert name in exposed
        assert set(re.findall(r"(\w+)\s*(?:=|!)", conditions)) <= exposed[name]
    labels = set.intersection(*(exposed[name] for name, _ in used)) | BY_PROMETHEUS
    for grouping in GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= labels
    promql_parser.parse(expression.replace("$__rate_interval", "5m"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
async def test_an_alert_is_complete(rule: Any, exposed: dict[str, set[str]]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+m", rule["for"])
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]):
        assert label in set.union(*(exposed[name] for name, _ in METRIC.findall(rule["expr"]))) | BY_PROMETHEUS
    outcomes = re.findall(r'outcome=~?"([^"]*)"', rule["expr"])
    assert {outcome for each in outcomes for outcome in each.split("|")} <= {OK, *Code}


def test_each_alert_has_its_section_in_the_runbook() -> None:
    sections = re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE)
    assert sections == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/monitoring/runbook.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
async def test_a_panel_is_complete(panel: Any, exposed: dict[str, set[str]]) -> None:
    assert panel["title"]
    assert panel["description"]
    for target in panel["targets"]:
        grouped = {label for each in GROUPING.findall(target["expr"]) for label in each.split(", ")}
        assert set(LABEL_OF_SAMPLE.findall(target["legendFormat"])) <= grouped


def test_panels_do_not_overlap() -> None:
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


async def test_every_metric_is_on_the_dashboard_and_documented(exposed: dict[str, set[str]]) -> None:
    """Or in an alert: somebody who adds a metric decides where it is looked at."""
    used = " ".join(EXPRESSIONS)
    for name in exposed:
        base = re.sub(r"_(bucket|sum|count|created)$", "", name)
        if not name.endswith("_created"):
            assert base in used
            assert f"`{base}`" in DOCS["deploying"]
