"""Rules, alerts and dashboard: expressions can be read, the service has their names, each alert has its section."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from k8s.dashboard import DASHBOARD, RULES, dashboard_json, expressions, rules_yaml
from tests.k8s.documents import K8S, ROOT
from tests.k8s.names import metrics, metrics_in, records_in

GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
RECORDS = {rule["record"]: rule["expr"] for group in GROUPS for rule in group["rules"] if "record" in rule}
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
ADAPTER = yaml.safe_load((K8S / "components" / "hpa" / "adapter-values.yaml").read_text(encoding="utf-8"))
ASKED = [*RECORDS.values(), *(alert["expr"] for alert in ALERTS.values())]


def adapter_query() -> str:
    """The rule of prometheus-adapter, as it asks for two pods."""
    rule = ADAPTER["rules"]["custom"][0]
    series = re.match(r"\w+", rule["seriesQuery"])
    assert series
    return str(
        rule["metricsQuery"]
        .replace("<<.Series>>", series[0])
        .replace("<<.LabelMatchers>>", 'namespace="panoptic",pod=~"a|b"')
        .replace("<<.GroupBy>>", "pod")
    )


def plain(expression: str) -> str:
    """An expression without Grafana's own variables."""
    return expression.replace("$__rate_interval", "1m").replace("$namespace", ".+")


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("expression", [*ASKED, *expressions(), adapter_query()])
def test_every_expression_can_be_read_and_asks_for_what_the_service_tells(expression: str) -> None:
    assert promql_parser.parse(plain(expression))
    assert metrics_in(plain(expression)) <= metrics()
    assert records_in(expression) <= set(RECORDS)


def test_an_expression_that_cannot_be_read_is_found() -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse("sum(rate(panoptic_requests_total[5m])")


def test_a_metric_that_the_service_has_not_is_found() -> None:
    assert metrics_in('sum by (le) (rate(panoptic_gone_bucket{stage="x"}[5m]))') - metrics() == {
        "panoptic_gone_bucket"
    }


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_is_wrong_and_leads_to_its_section(name: str) -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.M)

    assert name in headings
    assert ALERTS[name]["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_to_come(name: str) -> None:
    tests = yaml.safe_load(RULES.with_name("rules_test.yaml").read_text(encoding="utf-8"))["tests"]

    comes = [each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]]

    assert name in comes


def test_the_alerts_come_and_stay_away_as_their_tests_say() -> None:
    ended = promtool("test", "rules", RULES.with_name("rules_test.yaml"))

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_an_alert_that_never_comes_is_found(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.read_text().replace("> 1\n", "> 100\n"))
    shutil.copy(RULES.with_name("rules_test.yaml"), tmp_path)

    assert promtool("test", "rules", tmp_path / "rules_test.yaml").returncode != 0


def test_prometheus_takes_its_configuration_and_rules() -> None:
    ended = promtool("check", "config", RULES.with_name("prometheus.yaml"))

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dashboard_is_that_of_today() -> None:
    assert DASHBOARD.read_text(encoding="utf-8") == dashboard_json(), "run `make dashboard`"


def test_the_rules_of_compose_are_those_of_kubernetes() -> None:
    assert RULES.read_text(encoding="utf-8") == rules_yaml(), "run `make dashboard`"


def test_every_panel_has_a_unit_and_a_place_of_its_own() -> None:
    panels = [
        each for each in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"] if each["type"] != "row"
    ]
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels]

    assert len(set(places)) == len(panels)
    assert all(each["fieldConfig"]["defaults"]["unit"] for each in panels)
