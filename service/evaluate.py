"""The command panoptic-evaluate: how good a bundle is, as it is served, on a labelled data set."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import service.blas  # noqa: F401 - before NumPy
from model.bundle import BundleError, read_bundle
from model.extras import missing
from service.app import open_predictor
from service.settings import Parser, Settings, SettingsError, add_settings, read_settings

MISTAKE = 2  # exit code of a wrong option or an unusable file
INTERRUPTED = 130  # as a shell tells an interrupt
SETTINGS = ("backend", "precision", "threads", "max_megapixels")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate; the exit code is 0, 1 where photographs had to be left out, 2 after a mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _evaluate(vars(_parser().parse_args(given)), shlex.join(["panoptic-evaluate", *given]))
    except (SettingsError, BundleError) as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        return _refuse(missing("panoptic-evaluate", error, "evaluate"))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}.")
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> Parser:
    parser = Parser(
        "panoptic-evaluate",
        description="Answer every photograph of a labelled data set as the service would, and judge the answers: PQ, "
        "SQ, RQ, mIoU and instance AP. Layouts: Cityscapes, COCO panoptic, or a folder with panoptic.json, images/ "
        "and panoptic/. Answers are kept, and an evaluation that was stopped goes on.",
        allow_abbrev=False,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="directory of the model")
    parser.add_argument("data", metavar="DATASET", type=Path, help="directory of the data set")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("evaluation"),
        help="directory for answers and report; made where missing [default evaluation]",
    )
    parser.add_argument(
        "--layout",
        choices=("cityscapes", "coco", "folder"),
        help="layout of the data set; recognised by default",
    )
    parser.add_argument(
        "--curriculum",
        metavar="NAME",
        help="mapping of other label sets' classes to the bundle's, street for one; with --data-set",
    )
    parser.add_argument("--data-set", metavar="NAME", help="the mapping's part, camvid for one")
    parser.add_argument("--limit", metavar="N", type=int, help="judge only the first N photographs")
    parser.add_argument("--anew", action="store_true", help="forget the evaluation that stands in --out")
    add_settings(parser, SETTINGS)
    return parser


def _evaluate(options: dict[str, Any], command: str) -> int:
    from service.evaluation import run  # its libraries are an extra
    from service.evaluation.report import headline
    from service.evaluation.truth import DataSetError

    bundle_path, data, out = (options.pop(name) for name in ("bundle", "data", "out"))
    chosen = {name: options.pop(name) for name in ("layout", "limit", "anew")}
    mapping = _mapping(options.pop("curriculum"), options.pop("data_set"))
    if chosen["limit"] is not None and chosen["limit"] < 1:
        raise SettingsError(f"--limit is {chosen['limit']}: it must be 1 or more.")
    settings = _repeatable(read_settings(options))
    bundle = read_bundle(bundle_path)
    try:
        task = run.plan(bundle.manifest.categories, data, out, mapping=mapping, command=command, **chosen)
        predictor = open_predictor(bundle, settings)
        try:
            figures, left_out = run.evaluate(predictor, task)
        finally:
            predictor.close()
    except DataSetError as error:
        raise SettingsError(str(error)) from error
    print(headline(figures))
    print(f"{figures.photographs} photographs; the report is {out / 'report.md'}.")
    for each in left_out:
        print(f"Left out {each.name}: {each.why}", file=sys.stderr)
    return 1 if left_out else 0


def _repeatable(settings: Settings) -> Settings:
    """The engine is not left to a measurement of time: the next run might take another, with other last digits."""
    if settings.backend != "auto":
        return settings
    return settings.model_copy(update={"backend": "onnxruntime"})


def _mapping(curriculum: str | None, data_set: str | None) -> tuple[str, str] | None:
    if curriculum is None and data_set is None:
        return None
    if curriculum is None or data_set is None:
        raise SettingsError(
            "--curriculum and --data-set go together: the mapping, and its part for this data set."
        )
    return curriculum, data_set


def _refuse(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)
    return MISTAKE


if __name__ == "__main__":
    sys.exit(main())
