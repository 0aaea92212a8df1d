"""The proof of an engine: it answers a golden as the bundle promises, alone and in every row of a batch."""

import numpy as np
from PIL import Image

from model.bundle import Bundle, BundleError, Golden
from model.fit import Sizes
from service.backends import Backend, Maps, Merger
from service.pipeline.encode import rgb_to_ids
from service.pipeline.maps import merge_maps
from service.pipeline.panoptic import merge_heads
from service.pipeline.soundness import HeadsNotFinite


def prove_golden(
    bundle: Bundle, backend: Backend, golden: Golden, size: int, merger: Merger | None = None
) -> None:
    """Run a golden in every row of a batch of so many.

    Args:
        merger: proved in the backend's place.

    Raises: BundleError: an answer differs in more pixels than the golden allows, or there is none.
    """
    with Image.open(bundle.file(golden.image)) as image:
        picture = np.asarray(image.convert("RGB"))
    with Image.open(bundle.file(golden.panoptic)) as image:
        expected = rgb_to_ids(np.asarray(image.convert("RGB")))
    sizes = Sizes(golden.bucket, golden.bucket, golden.bucket)
    output = (merger or backend).run(np.repeat(picture[None], size, axis=0))
    for index in range(size):
        row, merging = output.row(index), bundle.manifest.merging
        try:
            merged = (
                merge_maps(row, sizes, bundle.manifest, merging)
                if isinstance(row, Maps)
                else merge_heads(row, sizes, bundle.manifest, merging)
            )
        except HeadsNotFinite as error:
            raise BundleError(
                f"{bundle.path} fails its self-test by {golden.image}: {error}. {backend.name} on {backend.device} in "
                f"{backend.precision} can't compute it, or the bundle is unsound; export it again."
            ) from error
        found = merged.ids
        share = float((found == expected).mean()) if found.shape == expected.shape else 0.0
        if share < golden.equal_pixels:
            raise BundleError(
                f"{bundle.path} fails its self-test: row {index + 1} of {size} of {golden.image} agrees in "
                f"{share:.2%} of its pixels, {golden.equal_pixels:.2%} must. {backend.name} on "
                f"{backend.device} in {backend.precision} computes it wrongly, or the bundle is unsound; "
                "export it again."
            )
