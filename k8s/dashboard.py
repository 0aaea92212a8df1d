"""Write Grafana's dashboard, and the rules in the form that Prometheus reads itself: `make dashboard`.

The dashboard's rows go as a photograph goes: what callers see, why they wait, what the engine does, what is left.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml
from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

HERE = Path(__file__).parent
DASHBOARD = HERE / "components" / "monitoring" / "dashboard.json"
RULE = HERE / "components" / "monitoring" / "prometheusrule.yaml"
RULES = HERE.parent / "docker" / "prometheus" / "rules.yaml"

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
ENGINE = "backend, precision, device"
WIDTH, HEIGHT = 8, 7  # of 24 columns


@dataclass(frozen=True)
class Chart:
    """One panel."""

    title: str
    unit: str  # in Grafana's names
    lines: dict[str, str]  # legend -> PromQL; NS stands for the namespace that is looked at


def _quantiles(metric: str) -> dict[str, str]:
    inside = f"rate({metric}_bucket{{NS}}[$__rate_interval])"
    return {
        f"p{percent}": f"histogram_quantile(0.{percent}, sum by (le) ({inside}))" for percent in (50, 90, 99)
    }


def _rate(metric: str, by: str = "") -> str:
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{{NS}}[$__rate_interval]))"


def _mean(histogram: str) -> str:
    return f"{_rate(f'{histogram}_sum')} / {_rate(f'{histogram}_count')}"


ROWS: dict[str, tuple[Chart, ...]] = {
    "What callers see": (
        Chart("Requests", "reqps", {"{{status}}": _rate("panoptic_requests_total", "status")}),
        Chart("Latency", "s", _quantiles("panoptic_request_duration_seconds")),
        Chart(
            "Faults and refusals",
            "percentunit",
            {
                "faults and refusals": "panoptic:faults:ratio_rate5m{NS}",
                "above a second": "panoptic:late:ratio_rate5m{NS}",
            },
        ),
    ),
    "Why they wait": (
        Chart(
            "Saturation: asked for over measured capacity",
            "none",
            {"{{pod}}": "panoptic_saturation_ratio{NS}"},
        ),
        Chart("Wait for the engine", "s", _quantiles("panoptic_queue_wait_seconds")),
        Chart(
            "Accepted and waiting",
            "none",
            {
                "accepted": "sum(panoptic_inflight_requests{NS})",
                "wait for the engine, {{priority}}": "sum by (priority) (panoptic_queue_depth{NS})",
            },
        ),
        Chart("Refused", "reqps", {"{{reason}}": _rate("panoptic_rejected_total", "reason")}),
        Chart(
            "Left or late",
            "reqps",
            {"left": _rate("panoptic_cancelled_total"), "late": _rate("panoptic_late_total")},
        ),
        Chart("Pixels that wait", "none", {"{{pod}}": "panoptic_queued_pixels{NS}"}),
    ),
    "What the engine does": (
        Chart(
            "Time of a photograph in each stage",
            "s",
            {
                "{{stage}}": f"{_rate('panoptic_stage_duration_seconds_sum', 'stage')}"
                f" / {_rate('panoptic_stage_duration_seconds_count', 'stage')}"
            },
        ),
        Chart(
            "Images in a batch",
            "none",
            {"mean": _mean("panoptic_batch_images")},
        ),
        Chart(
            "Batches by why they left", "ops", {"{{reason}}": _rate("panoptic_batch_release_total", "reason")}
        ),
        Chart(
            "Share of a batch that shows no photograph",
            "percentunit",
            {"mean": _mean("panoptic_batch_padding_ratio")},
        ),
        Chart("Pixels of a photograph", "none", {"mean": _mean("panoptic_image_pixels")}),
        Chart("Segments of a photograph", "none", {"mean": _mean("panoptic_segments_per_image")}),
    ),
    "What is left": (
        Chart("Pods by state", "none", {"{{state}}": "sum by (state) (panoptic_model_state{NS})"}),
        Chart(
            "Engines",
            "none",
            {"{{backend}} {{precision}} {{device}}": f"count by ({ENGINE}) (panoptic_backend_info{{NS}})"},
        ),
        Chart("Memory", "bytes", {"{{pod}}": "process_resident_memory_bytes{NS}"}),
    ),
}


def main() -> None:
    """Write both files."""
    DASHBOARD.write_text(dashboard_json(), encoding="utf-8")
    RULES.write_text(rules_yaml(), encoding="utf-8")


def dashboard_json() -> str:
    """The dashboard as Grafana imports it."""
    drawn = (
        Dashboard("Panoptic")
        .uid("panoptic")
        .tags(["panoptic"])
        .refresh("15s")
        .time("now-1h", "now")
        .timezone("browser")
        .with_variable(
            QueryVariable("namespace")
            .datasource(SOURCE)
            .query("label_values(panoptic_model_state, namespace)")
            .multi(True)
            .include_all(True)
        )
    )
    for title, charts in ROWS.items():
        drawn = drawn.with_row(Row(title))
        for chart in charts:
            drawn = drawn.with_panel(_panel(chart))
    return JSONEncoder(sort_keys=True, indent=2).encode(drawn.build()) + "\n"


def rules_yaml() -> str:
    """The rules without Kubernetes around them."""
    spec = yaml.safe_load(RULE.read_text(encoding="utf-8"))["spec"]
    head = "# The spec of k8s/components/monitoring/prometheusrule.yaml; written by `make dashboard`.\n"
    return head + yaml.safe_dump(spec, sort_keys=False, width=110)


def expressions() -> list[str]:
    """Every query of the dashboard, as it stands in it."""
    charts = [chart for row in ROWS.values() for chart in row]
    return [_of_namespace(each) for chart in charts for each in chart.lines.values()]


def _panel(chart: Chart) -> Panel:
    panel = Panel().title(chart.title).unit(chart.unit).datasource(SOURCE).span(WIDTH).height(HEIGHT)
    for index, (legend, expression) in enumerate(chart.lines.items()):
        query = (
            Dataquery().expr(_of_namespace(expression)).legend_format(legend).ref_id(chr(ord("A") + index))
        )
        panel = panel.with_target(query)
    return panel


def _of_namespace(expression: str) -> str:
    return expression.replace("{NS", '{namespace=~"$namespace"')


if __name__ == "__main__":
    main()
