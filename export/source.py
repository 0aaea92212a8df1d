"""Where a bundle's weights come from, and what is said of them where their file says nothing."""

from collections.abc import Mapping
from pathlib import Path

from export.fetch import default_cache, fetch, find_publication
from model.checkpoints.reading import Checkpoint, read_checkpoint
from model.checkpoints.zoo import ZOO
from model.variants import Published, find_variant


def open_source(
    path: Path | None, weights: str | None, variant: str | None, cache: Path | None
) -> tuple[Checkpoint, str | None]:
    """Read a file, or the published weights of a name, fetched where they are not in the cache.

    Returns: the checkpoint, and the address of published weights.

    Raises:
        ExportError: published weights cannot be had.
        CheckpointError: the file is unusable.
    """
    if weights is None:
        assert path is not None
        return read_checkpoint(path, find_variant(variant) if variant else None), None
    publication = find_publication(weights)
    file = fetch(publication, cache or default_cache())
    return read_checkpoint(file, find_variant(publication.variant)), publication.url


def words_of(checkpoint: Checkpoint) -> Mapping[str, str]:
    """What is said of the weights: by our own files, else by those who published the variant.

    That a file is the published one nobody can see; a hint to say otherwise is `panoptic-export`'s to give.
    """
    if checkpoint.metadata:
        return checkpoint.metadata
    variant = checkpoint.variant
    words = {"weights": f"those of {checkpoint.path.name}"}
    if variant.published is not None:
        words["figures"] = _figures(variant.published)
    if variant.name in ZOO:
        words |= {"licence": ZOO[variant.name].licence, "training_data": ZOO[variant.name].training_data}
    return words


def _figures(published: Published) -> str:
    numbers = {
        "PQ": published.pq, "SQ": published.sq, "RQ": published.rq, "mIoU": published.miou, "AP": published.ap
    }  # fmt: skip
    told = ", ".join(f"{name} {value}" for name, value in numbers.items() if value is not None)
    return f"{told} as published: {published.where}"
