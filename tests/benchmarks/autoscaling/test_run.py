"""The model of the service, and what the simulation must show."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.autoscaling.__main__ import MARKS, between, holds, verdict
from benchmarks.autoscaling.fleet import Fleet
from benchmarks.autoscaling.loads import Scenario, scenarios
from benchmarks.autoscaling.pod import USUAL, Pod, read_pod, worthwhile
from benchmarks.autoscaling.rules import K8S, read_hpa
from benchmarks.autoscaling.run import Outcome, best_load, oracle, simulate
from benchmarks.autoscaling.signals import SIGNALS, saturation
from benchmarks.autoscaling.trial import Trial, run_trial

OURS = SIGNALS[0]
POD = Pod("toy", "made up", ((1, 0.1), (4, 0.2)), max_queue=40, start_s=30)  # 20 images a second
BEST = 0.85


def fleet_of(count: int, pod: Pod = POD) -> Fleet:
    fleet = Fleet(pod, np.random.default_rng(0))
    fleet.now = -pod.start_s
    fleet.scale(count)
    fleet.now = -1
    return fleet


def run_for(fleet: Fleet, seconds: int, rate: float) -> tuple[float, float]:
    """Answered and refused."""
    steps = [fleet.step(rate) for _ in range(seconds)]
    return sum(step.answered.sum() for step in steps), sum(step.refused for step in steps)


def test_the_capacity_is_that_of_the_best_batch() -> None:
    assert POD.capacity == 20


def test_below_its_capacity_a_fleet_refuses_nothing() -> None:
    answered, refused = run_for(fleet_of(10), 300, rate=140)

    assert refused == 0
    assert answered == pytest.approx(300 * 140, rel=0.02)


def test_above_its_capacity_it_answers_what_it_can_and_refuses_the_rest() -> None:
    fleet = fleet_of(10)
    run_for(fleet, 60, rate=400)

    answered, refused = run_for(fleet, 300, rate=400)

    assert answered / 300 == pytest.approx(200, rel=0.02)
    assert refused / 300 == pytest.approx(200, rel=0.03)


@pytest.mark.parametrize("times", [0.5, 1, 3])
def test_the_saturation_of_a_pod_is_what_comes_over_its_capacity(times: float) -> None:
    fleet = fleet_of(10)
    run_for(fleet, 120, rate=200 * times)

    assert saturation(fleet).mean() == pytest.approx(times, rel=0.05)


def test_pods_that_come_do_not_change_the_sum_of_saturations() -> None:
    fleet = fleet_of(10)
    run_for(fleet, 120, rate=400)
    before = saturation(fleet).sum()

    fleet.scale(20)
    run_for(fleet, 40, rate=400)

    assert saturation(fleet).sum() == pytest.approx(before, rel=0.06)


def test_a_pod_takes_no_request_before_it_is_ready() -> None:
    fleet = fleet_of(1)
    fleet.scale(2)
    run_for(fleet, 29, rate=1)

    assert (len(fleet.queue), fleet.size) == (1, 2)


def test_the_oracle_has_each_pod_ready_when_it_is_needed() -> None:
    rates = np.concatenate([np.full(100, 17.0), np.full(100, 170.0)])

    needed = oracle(rates, POD, BEST, replace(read_hpa(), least=1))

    assert (needed[69], needed[70], needed[99]) == (1, 10, 10)


def test_while_nobody_can_read_the_signal_the_count_stays() -> None:
    blind = Scenario("blind", np.linspace(100, 400, 600), blind=(0, 600))

    outcome = simulate(blind, OURS, read_hpa(), POD, best=BEST)

    assert set(outcome.pods) == {outcome.pods[0]}


def test_a_rollout_replaces_every_pod_and_never_has_fewer() -> None:
    scenario = Scenario("rollout", np.full(900, 100.0), rollout=60)

    outcome = simulate(scenario, OURS, read_hpa(), POD, best=BEST)

    assert (outcome.pods.min(), outcome.refused) == (outcome.pods[0], 0)
    assert 1 <= outcome.pods.max() - outcome.pods.min() <= 2


def test_a_run_is_the_same_each_time() -> None:
    scenario = Scenario("short", np.full(120, 100.0))

    first, again = (simulate(scenario, OURS, read_hpa(), POD, best=BEST, seed=5) for _ in range(2))

    assert (first.p99_s, first.pod_hours) == (again.p99_s, again.pod_hours)


def test_our_signal_follows_a_slow_ramp_within_the_objective_and_without_a_flap() -> None:
    ramp = next(each for each in scenarios() if "ramp" in each.name)

    outcome = simulate(ramp, OURS, read_hpa(), read_pod(), best=BEST)

    assert (outcome.survived, outcome.flaps) == (True, 0)


def outcome(
    signal: str, scenario: str, *, p99_s: float = 0.1, pod_hours: float = 1.0, refused: float = 0.0
) -> Outcome:
    return Outcome(scenario, signal, p99_s, refused, pod_hours, 1.0, 0, np.zeros(1), np.zeros(1))


@pytest.mark.parametrize(
    ("ours", "other", "held"),
    [
        ({}, {}, True),
        ({"p99_s": 2.0}, {}, False),
        ({"p99_s": 2.0}, {"p99_s": 2.0}, True),
        ({"pod_hours": 1.3}, {}, False),
        ({"refused": 0.02}, {}, True),
        ({"p99_s": 2.0}, {"refused": 0.02}, True),
    ],
)
def test_the_verdict_is_that_of_the_objective(
    ours: dict[str, float], other: dict[str, float], held: bool
) -> None:
    found = [outcome(OURS.name, "diurnal day", **ours), outcome("other", "diurnal day", **other)]

    assert holds(found) == held


def test_what_another_signal_survives_and_ours_refuses_is_told_with_its_price() -> None:
    found = [
        outcome(OURS.name, "diurnal day"),
        outcome("other", "diurnal day", pod_hours=2.5),
        outcome(OURS.name, "step", refused=0.03),
        outcome("other", "step"),
    ]

    assert "other survives the step, of which ours refuses 3.00%, and has 2.50 times" in verdict(found)


@pytest.mark.parametrize("name", ["simulation", "queues", "targets", "variants", "starts"])
def test_the_page_says_that_it_is_a_simulation_and_keeps_its_marks(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "autoscaling.md").read_text(encoding="utf-8")
    begin, end = (mark.format(name) for mark in MARKS)

    assert "This page is a simulation" in page
    assert between(page, name, "told").count(begin) == page.count(end) == 1


def test_batches_that_take_longer_an_image_are_not_run() -> None:
    assert worthwhile([(1, 0.1), (2, 0.25), (4, 0.3)]) == ((1, 0.1), (4, 0.3))


def test_the_pod_has_the_processors_and_the_queue_of_the_manifests() -> None:
    base = K8S / "base"
    container = yaml.safe_load((base / "deployment.yaml").read_text())["spec"]["template"]["spec"][
        "containers"
    ][0]

    assert str(json.loads(USUAL.read_text())["processors"]) == container["resources"]["requests"]["cpu"]
    assert f"PANOPTIC_MAX_QUEUE={read_pod().max_queue}\n" in (base / "settings.env").read_text()


def test_a_full_queue_of_the_manifests_is_answered_within_the_objective() -> None:
    fleet = fleet_of(5, read_pod())

    steps = [fleet.step(5 * fleet.pod.capacity * 3) for _ in range(60)]

    assert max(step.latencies.max() for step in steps) <= 1
    assert steps[-1].refused > 0


def test_the_load_of_the_oracle_does_not_hang_on_the_queue() -> None:
    assert best_load(POD) == best_load(replace(POD, max_queue=4))


def test_a_trial_changes_what_it_names() -> None:
    ramp = next(each.name for each in scenarios() if "lost" in each.name)

    usual, dearer = (run_trial(Trial(ramp, target=target), USUAL) for target in (None, 0.5))

    assert usual.pod_hours * 1.3 < dearer.pod_hours
