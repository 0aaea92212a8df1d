"""Instance AP of panoptic answers, by COCO's protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hotcoco import COCO, COCOeval, mask
from numpy.typing import NDArray

from model.bundle import CategorySpec
from service.evaluation.truth import Truth


@dataclass(frozen=True)
class Precision:
    """AP over the IoUs 0.5 to 0.95, 0 to 1; classes that the truth does not show have none."""

    ap: dict[int, float]  # by category id
    ap50: float | None  # mean over the classes, at IoU 0.5


class Instances:
    """Gathers the instances of truth and answers, a photograph at a time."""

    def __init__(self, things: Sequence[CategorySpec], forgives_void: bool):
        """Begin with none.

        Args:
            forgives_void: what lies on unlabelled pixels is ignored, as Cityscapes does; COCO does not.
        """
        self.things = frozenset(category.id for category in things)
        self.forgives_void = forgives_void
        self._truth: dict[str, list[dict[str, Any]]] = {
            "images": [],
            "categories": [{"id": category.id, "name": category.name} for category in things],
            "annotations": [],
        }
        self._found: list[dict[str, Any]] = []

    def add(
        self, number: int, truth: Truth, ids: NDArray[np.int32], segments: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add a photograph.

        Args:
            ids: (H, W) of the answer.
            segments: of the answer, things with their instance_score.
        """
        rows, columns = ids.shape
        self._truth["images"].append(
            {"id": number, "height": rows, "width": columns, "file_name": str(number)}
        )
        for segment in truth.segments:
            if segment.category_id in self.things:
                self._add_true(number, segment.category_id, truth.ids == segment.id, segment.iscrowd)
        if self.forgives_void:
            for category in sorted(self.things):
                self._add_true(number, category, truth.ids == 0, iscrowd=True)
        for found in segments:
            if found["isthing"]:
                self._found.append(
                    {
                        "image_id": number,
                        "category_id": found["category_id"],
                        "score": found["instance_score"],
                        "segmentation": mask.encode((ids == found["id"]).view(np.uint8)),
                    }
                )

    def precision(self) -> Precision:
        """Compute the AP of all that was added."""
        truth = COCO(self._truth)
        evaluation = COCOeval(truth, truth.load_res(self._found), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        assert evaluation.eval is not None
        # IoU thresholds, recalls, classes, areas (the first is all), most detections (the last is 100)
        table = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
        order = evaluation.params.cat_ids
        shown = [place for place in range(len(order)) if (table[:, :, place] >= 0).any()]
        ap = {order[place]: float(table[:, :, place].mean()) for place in shown}
        return Precision(ap, float(table[0][:, shown].mean()) if shown else None)

    def _add_true(self, number: int, category: int, region: NDArray[np.bool_], iscrowd: bool) -> None:
        area = int(region.sum())
        if not area:
            return
        run_lengths = mask.encode(region.view(np.uint8))
        self._truth["annotations"].append(
            {
                "id": len(self._truth["annotations"]) + 1,
                "image_id": number,
                "category_id": category,
                "iscrowd": int(iscrowd),
                "area": area,
                "bbox": mask.to_bbox(run_lengths).tolist(),
                "segmentation": run_lengths,
            }
        )
