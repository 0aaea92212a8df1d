"""An evaluation from its data set to its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.bundle import CategorySpec
from service.evaluation.answering import LeftOut, answer_all
from service.evaluation.answers import Answers, Identity
from service.evaluation.judging import Judging, judge_by_curriculum, judge_directly
from service.evaluation.layouts import open_data_set
from service.evaluation.measures import Figures, measure
from service.evaluation.plots import plot_classes, plot_confusion
from service.evaluation.report import Setting, write_report
from service.evaluation.truth import DataSet, DataSetError, Item
from service.pipeline.predictor import Predictor


@dataclass(frozen=True)
class Task:
    """What is to be judged, and where the answers are kept."""

    data: DataSet
    items: tuple[Item, ...]  # those of the data set that are judged
    judging: Judging
    mapping: str
    out: Path
    anew: bool
    command: str


def plan(
    categories: Sequence[CategorySpec],
    path: Path,
    out: Path,
    *,
    layout: str | None,
    mapping: tuple[str, str] | None,
    limit: int | None,
    anew: bool,
    command: str,
) -> Task:
    """Look at the data set, before any model is loaded.

    Args:
        categories: the bundle's.
        mapping: curriculum and its data set.
        limit: judge only the first photographs.

    Raises: DataSetError: it cannot be judged.
    """
    data = open_data_set(path, layout)
    judging = judge_by_curriculum(data, categories, *mapping) if mapping else judge_directly(data, categories)
    words = ": ".join(mapping) if mapping else ""
    return Task(data, data.items[:limit], judging, words, out, anew, command)


def evaluate(predictor: Predictor, task: Task) -> tuple[Figures, list[LeftOut]]:
    """Answer what is not answered yet, judge everything, write the report.

    Raises: DataSetError: the directory holds another evaluation, or no photograph can be judged.
    """
    bundle = predictor.bundle
    identity = Identity(
        bundle=bundle.digest,
        backend=f"{predictor.backend.name} on {predictor.backend.device} in {predictor.backend.precision}",
        data=str(task.data.path.resolve()),
        layout=task.data.layout,
        max_megapixels=predictor.max_pixels / 1e6,
    )
    answers = Answers.open(task.out, identity, anew=task.anew)
    refused = answer_all(predictor, task.items, answers)
    categories = bundle.manifest.categories
    figures, unusable = measure(task.items, answers, task.judging, categories)
    left_out = [*refused, *unusable]
    if figures is None:
        raise DataSetError(
            f"None of {len(task.items)} photographs of {task.data.path} can be judged. "
            f"The first, {left_out[0].name}: {left_out[0].why}."
        )
    setting = Setting(bundle, identity.backend, task.data, task.mapping, task.command)
    write_report(task.out, setting, figures, left_out)
    plot_classes(task.out / "classes.png", figures)
    plot_confusion(task.out / "confusion.png", figures, categories)
    return figures, left_out
