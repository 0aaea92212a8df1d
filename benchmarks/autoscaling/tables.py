"""What the simulation tells, as Markdown."""

from collections.abc import Callable, Iterable, Sequence

from benchmarks.autoscaling.controller import Look, asked_of_pods
from benchmarks.autoscaling.loads import DAY, STEP, scenarios
from benchmarks.autoscaling.pod import Pod
from benchmarks.autoscaling.rules import Rules
from benchmarks.autoscaling.run import Outcome
from benchmarks.autoscaling.signals import VARIANTS
from benchmarks.autoscaling.trial import OURS, Trial

TARGETS = (0.65, 0.7, 0.75, 0.8, 0.85)
QUEUES = (16, 32, 48, 64, 96)
STARTS_S = (15.0, 30.0, 60.0, 120.0)
STANDING = range(18, 64, 2)  # pods that are kept whatever comes
Run = Callable[[Sequence[Trial]], list[Outcome]]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def head(pod: Pod, best: float) -> str:
    """The pod in words."""
    return (
        f"A pod: {pod.name}. It does {pod.capacity:.1f} images a second ({pod.source}), holds {pod.max_queue}, "
        f"and starts in {pod.start_s:g} s. Under steady load and with a queue without end it keeps the objective up to "
        f"{best:.0%} of its capacity, which is how the oracle loads it."
    )


def starting(rules: Rules) -> str:
    """What four pods at twice their capacity and four that start make the controller ask for."""
    told = {
        "saturation; a starting pod tells nothing": Look([2.0] * 4, missing=4),
        "GPU utilisation; a starting pod tells 0": Look([1.0] * 4 + [0.0] * 4),
        "CPU; Kubernetes leaves out what is not ready": Look([1.0] * 4, unready=4),
    }
    rows = [[name, str(asked_of_pods(look, 8, rules.target))] for name, look in told.items()]
    return table(["signal", "pods asked for, of 8"], rows)


def outcomes(found: Sequence[Outcome]) -> str:
    """A row each."""
    rows = [
        [
            each.scenario,
            each.signal,
            f"{each.p99_s:.2f}",
            f"{each.refused:.2%}",
            f"{each.pod_hours:.0f}",
            f"{each.pod_hours / each.oracle_hours:.2f}",
            f"{each.pods.max():.0f}",
            str(each.flaps),
            "yes" if each.survived else "no",
        ]
        for each in found
    ]
    over = "over the oracle's"
    return table(
        ["load", "signal", "p99, s", "refused", "pod-hours", over, "most pods", "flaps", "survives"], rows
    )


def targets(run: Run) -> str:
    """Our signal with other targets."""
    return _every_load("target", {f"{each:g}": {"target": each} for each in TARGETS}, run)


def queues(run: Run) -> str:
    """Our signal with pods that hold fewer, or more."""
    return _every_load("`PANOPTIC_MAX_QUEUE`", {str(each): {"max_queue": each} for each in QUEUES}, run)


def variants(run: Run) -> str:
    """Our signal otherwise."""
    names = (OURS, *(each.name for each in VARIANTS))
    return _every_load("signal", {name: {"signal": name} for name in names}, run)


def starts(run: Run) -> str:
    """Our signal with pods that start sooner or later, and how many must stand by for a step of four times."""
    trials = [Trial(STEP, start_s=start, least=least) for start in STARTS_S for least in (None, *STANDING)]
    found = run(trials)
    rows = []
    for place, start in enumerate(STARTS_S):
        first, *standing = found[place * (1 + len(STANDING)) : (place + 1) * (1 + len(STANDING))]
        enough = [least for least, each in zip(STANDING, standing, strict=True) if each.survived]
        words = f"{enough[0]}" if enough else f"more than {STANDING[-1]}"
        words = "none needed" if first.survived else words
        rows.append([f"{start:g} s", f"{first.refused:.2%}", f"{first.pods[0]:.0f}", words])
    return table(
        ["a pod starts in", "refused in the step", "pods before it", "`minReplicas` that survives it"], rows
    )


def _every_load(what: str, changes: dict[str, dict[str, object]], run: Run) -> str:
    names = [scenario.name for scenario in scenarios()]
    found = run([Trial(name, **change) for change in changes.values() for name in names])  # type: ignore[arg-type]
    rows = []
    for place, label in enumerate(changes):
        mine = found[place * len(names) : (place + 1) * len(names)]
        day = next(each for each in mine if each.scenario == DAY)
        step = next(each for each in mine if each.scenario == STEP)
        rows.append(
            [
                label,
                f"{sum(each.survived for each in mine)} of {len(mine)}",
                f"{max(each.p99_s for each in mine):.2f}",
                f"{step.refused:.2%}",
                f"{max(each.refused for each in mine):.2%}",
                f"{day.p99_s:.2f}",
                f"{day.pod_hours / day.oracle_hours:.2f}",
            ]
        )
    day_head = ["day's p99, s", "day's pod-hours over the oracle's"]
    return table(
        [what, "loads survived", "worst p99, s", "refused in the step", "refused at worst", *day_head], rows
    )
