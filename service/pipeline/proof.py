"""The proof of an engine: it answers a golden as the bundle promises, alone and in every row of a batch."""

import numpy as np
from PIL import Image

from model.bundle import Bundle, BundleError, Golden
from model.fit import Sizes
from service.backends import Backend
from service.pipeline.encode import rgb_to_ids
from service.pipeline.panoptic import merge_heads


def prove_golden(bundle: Bundle, backend: Backend, golden: Golden, size: int) -> None:
    """Run a golden in every row of a batch of so many.

    Raises: BundleError: an answer differs in more pixels than the golden allows.
    """
    with Image.open(bundle.file(golden.image)) as image:
        picture = np.asarray(image.convert("RGB"))
    with Image.open(bundle.file(golden.panoptic)) as image:
        expected = rgb_to_ids(np.asarray(image.convert("RGB")))
    sizes = Sizes(golden.bucket, golden.bucket, golden.bucket)
    heads = backend.run(np.repeat(picture[None], size, axis=0))
    for index in range(size):
        found = merge_heads(heads.row(index), sizes, bundle.manifest, bundle.manifest.merging).ids
        share = float((found == expected).mean()) if found.shape == expected.shape else 0.0
        if share < golden.equal_pixels:
            raise BundleError(
                f"{bundle.path} fails its self-test: row {index + 1} of {size} of {golden.image} agrees in "
                f"{share:.2%} of its pixels, {golden.equal_pixels:.2%} must. {backend.name} on "
                f"{backend.device} in {backend.precision} computes it wrongly, or the bundle is unsound; "
                "export it again."
            )
