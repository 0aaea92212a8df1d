"""The kept answers of an evaluation: what is on disk is not computed again.

A directory holds `evaluation.json` (what the answers depend on), `answers.jsonl` (a line for each photograph),
`panoptic/` (COCO's PNGs) and `semantic/` (PNGs of class indices).
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Size
from service.evaluation.scores import Reading
from service.evaluation.truth import DataSetError
from service.pipeline.encode import panoptic_png, rgb_to_ids, to_json
from service.pipeline.panoptic import Panoptic
from service.pipeline.segments import segments_info

IDENTITY = "evaluation.json"
ANSWERS = "answers.jsonl"
PANOPTIC, SEMANTIC, TRUTH = "panoptic", "semantic", "truth"


@dataclass(frozen=True)
class Identity:
    """What answers depend on: answers of another identity are not these."""

    bundle: str  # digest
    backend: str
    data: str  # directory of the data set
    layout: str
    max_megapixels: float


@dataclass(frozen=True)
class Answer:
    """What was answered to a photograph, without its maps."""

    name: str
    size: Size  # rows, columns
    segments: tuple[
        Mapping[str, Any], ...
    ]  # the service's segments_info, each thing with its instance_score too


class Answers:
    """Owns an evaluation's directory."""

    def __init__(self, path: Path, kept: dict[str, Answer]):
        """Use `open` instead."""
        self.path = path
        self.kept = kept

    @classmethod
    def open(cls, path: Path, identity: Identity, *, anew: bool = False) -> Self:
        """Open a directory, or make one where there is none.

        Args:
            anew: forget what stands there.

        Raises: DataSetError: it holds answers of another identity, or other files.
        """
        if anew and (path / IDENTITY).is_file():
            _forget(path)
        else:
            _check(path, identity)
        for folder in (PANOPTIC, SEMANTIC, TRUTH):
            (path / folder).mkdir(parents=True, exist_ok=True)
        (path / IDENTITY).write_bytes(to_json(asdict(identity), indent=True))
        kept = _read_lines(path / ANSWERS)
        _write_lines(path / ANSWERS, kept)
        return cls(path, {answer.name: answer for answer in kept})

    def keep(self, name: str, panoptic: Panoptic, reading: Reading) -> None:
        """Keep an answer; its line is written last, so that a line stands for whole files."""
        png = panoptic_png(panoptic)
        (self.path / PANOPTIC / f"{name}.png").write_bytes(png)
        Image.fromarray(reading.classes).save(self.path / SEMANTIC / f"{name}.png", compress_level=1)
        rows, columns = panoptic.ids.shape
        segments = []
        for told in segments_info(panoptic.segments):
            score = {"instance_score": reading.scores[told["id"]]} if told["isthing"] else {}
            segments.append(told | score)
        answer = Answer(name, (rows, columns), tuple(segments))
        with (self.path / ANSWERS).open("ab") as file:
            file.write(to_json(asdict(answer)) + b"\n")
        self.kept[name] = answer

    def ids(self, name: str) -> NDArray[np.int32]:
        """The panoptic ids of a kept answer, (H, W)."""
        with Image.open(self.path / PANOPTIC / f"{name}.png") as image:
            return rgb_to_ids(np.asarray(image))

    def classes(self, name: str) -> NDArray[np.uint8]:
        """The class indices of a kept answer, (H, W)."""
        with Image.open(self.path / SEMANTIC / f"{name}.png") as image:
            return np.asarray(image)


def _check(path: Path, identity: Identity) -> None:
    if not path.exists() or not any(path.iterdir()):
        return
    if not (path / IDENTITY).is_file():
        raise DataSetError(
            f"{path} holds other files and no evaluation. Choose another directory with --out."
        )
    try:
        found = json.loads((path / IDENTITY).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataSetError(f"{path / IDENTITY} is damaged: {error}. Start anew with --anew.") from error
    for key, value in asdict(identity).items():
        if found.get(key) != value:
            raise DataSetError(
                f"{path} holds an evaluation with another {key.replace('_', ' ')}: {found.get(key)}, now {value}. "
                "Choose another directory with --out, or forget that one with --anew."
            )


def _forget(path: Path) -> None:
    """Remove the answers of an evaluation; its report is written over."""
    for folder in (PANOPTIC, SEMANTIC, TRUTH):
        shutil.rmtree(path / folder, ignore_errors=True)
    (path / ANSWERS).unlink(missing_ok=True)


def _read_lines(path: Path) -> list[Answer]:
    """Read the lines that are whole; a killed evaluation may have left half of the last."""
    answers = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found = json.loads(line)
        except ValueError:
            break
        rows, columns = found["size"]
        answers.append(Answer(found["name"], (rows, columns), tuple(found["segments"])))
    return answers


def _write_lines(path: Path, answers: list[Answer]) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(b"".join(to_json(asdict(answer)) + b"\n" for answer in answers))
    part.replace(path)
