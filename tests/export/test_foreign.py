"""A published program's checkpoint, all the way: to a bundle, to a server, to an answer that equals torch's."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from export.certificate import run_network
from export.commands.export import export
from model.bundle import Bundle, file_entry, read_bundle
from model.checkpoints.reading import read_checkpoint
from model.fit import Sizes, choose_bucket, fit
from model.network.panoptic_deeplab import Heads as TorchHeads
from model.parity.networks import golden_weights, read_case, read_shapes
from model.tail import Answer, finish
from model.variants import with_pooling
from service.backends import Heads
from service.pipeline.encode import rgb_to_ids
from service.pipeline.panoptic import merge_heads

ROOT = Path(__file__).parents[2]
MIN_EQUAL_PIXELS = 0.9999
TIE = 1e-6  # between the two largest logits: below it rounding decides, torch's with its number of threads
GOLDENS = ROOT / "tests" / "goldens"
FLAVOURS = {  # the golden whose weights stand in for trained ones: its predictors make the heads varied
    "detectron2": "d2-r52-dsconv-129x257-global",
    "original": "old-mbnv2-os32-129x257-pool65x129",
}
BUCKETS = {"detectron2": "128x256", "original": "129x257"}


@dataclass(frozen=True)
class Exported:
    """A bundle and the checkpoint it was made of."""

    checkpoint: Path
    bundle: Bundle


def write_checkpoint(folder: Path, flavour: str) -> Path:
    """The flavour's own kind of file: a pickle of numpy arrays, or what `torch.save` wrote before torch 1.6."""
    golden = GOLDENS / f"{FLAVOURS[flavour]}.npz"
    with np.load(golden, allow_pickle=False) as arrays:
        case = read_case(golden, arrays)
        assert case is not None
        manifest = GOLDENS / "keys" / f"{case.meta['flavour']}-{case.meta['variant']}.json"
        weights = golden_weights(case, read_shapes(manifest))
    if flavour == "detectron2":
        path = folder / "model_final.pkl"
        content = {name: tensor.numpy() for name, tensor in weights.items()}
        path.write_bytes(pickle.dumps({"model": content, "__author__": "Detectron2 Model Zoo"}, 4))
        return path
    path = folder / "checkpoint.pth.tar"
    state = {"start_iter": 90000, "state_dict": weights, "optimizer": {}, "lr_scheduler": {}}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="module", params=FLAVOURS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = write_checkpoint(folder, request.param)
    arguments = [str(checkpoint), "--out", str(folder / "bundle"), "--buckets", BUCKETS[request.param]]
    export.main([*arguments, "--batch-sizes", "1"], standalone_mode=False)
    return Exported(checkpoint, read_bundle(folder / "bundle"))


@pytest.fixture(scope="module")
def picture(photo: Path) -> NDArray[np.uint8]:
    """The photograph, mirrored; it travels as PNG, for decoders of JPEG differ by gray levels.

    As it was taken, a peak of one stand-in lies on the photograph's border. Enlarging makes a plateau of it, and the
    last bit of each program's rounding decides how many centers that is.
    """
    with Image.open(photo) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, ::-1])


@pytest.fixture(scope="module")
def answer(exported: Exported, picture: NDArray[np.uint8]) -> Iterator[NDArray[np.int32]]:
    """The ids that a `panoptic-serve` process answers over its socket."""
    command = [sys.executable, "-m", "service.serve", "--bundle", str(exported.bundle.path), "--port", "0"]
    exact = {"PANOPTIC_BACKEND": "onnxruntime", "PANOPTIC_PRECISION": "fp32"}
    environment = os.environ | exact | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().partition(" on ")[2].partition(" ")[0]
            headers = {"Accept": "image/png"}
            photograph = BytesIO()
            Image.fromarray(picture).save(photograph, "PNG")
            answer = httpx.put(
                f"{address}/v1/panoptic", content=photograph.getvalue(), headers=headers, timeout=300
            )
        finally:
            process.terminate()
    assert answer.status_code == 200, answer.text
    with Image.open(BytesIO(answer.content)) as image:
        yield rgb_to_ids(np.asarray(image.convert("RGB")))


@pytest.fixture(scope="module")
def torch_heads(exported: Exported, picture: NDArray[np.uint8]) -> tuple[TorchHeads, Sizes]:
    """The photograph's heads by torch, of the checkpoint itself."""
    manifest = exported.bundle.manifest
    checkpoint = read_checkpoint(exported.checkpoint)
    rows, columns, _ = picture.shape
    bucket = choose_bucket((rows, columns), manifest.input.buckets)
    fitted, sizes = fit(picture, bucket, manifest.input.pad_value)
    network = checkpoint.network(with_pooling(checkpoint.variant, None))
    return run_network(network, torch.from_numpy(fitted)[None]), sizes


@pytest.fixture(scope="module")
def reference(exported: Exported, torch_heads: tuple[TorchHeads, Sizes]) -> Answer:
    """The answer of torch's reference path."""
    heads, sizes = torch_heads
    variant = read_checkpoint(exported.checkpoint).variant
    return finish(heads, variant, sizes, grid="output")


@pytest.fixture(scope="module")
def expected(reference: Answer) -> NDArray[np.int64]:
    """Its ids."""
    return np.asarray(reference.labels.numpy() + 1)


def test_the_served_answer_equals_torchs_reference_path(
    answer: NDArray[np.int32], expected: NDArray[np.int64]
) -> None:
    assert (answer == expected).mean() >= MIN_EQUAL_PIXELS


def test_the_answer_holds_things_and_stuff(expected: NDArray[np.int64]) -> None:
    classes = set((np.unique(expected) - 1)[np.unique(expected) > 0] // 1000)

    assert classes & set(range(11))
    assert classes & set(range(11, 19))


def test_merging_the_same_heads_gives_the_same_ids_wherever_no_two_classes_tie(
    exported: Exported,
    torch_heads: tuple[TorchHeads, Sizes],
    reference: Answer,
    expected: NDArray[np.int64],
) -> None:
    heads, sizes = torch_heads
    manifest = exported.bundle.manifest
    first, second = reference.logits.topk(2, dim=0).values.numpy()

    found = merge_heads(Heads(*(head.numpy() for head in heads)), sizes, manifest, manifest.merging)

    untied = first - second > TIE
    assert np.array_equal(found.ids[untied], expected[untied])
    assert untied.mean() >= MIN_EQUAL_PIXELS


def test_the_bundle_tells_where_its_weights_come_from(exported: Exported) -> None:
    manifest = exported.bundle.manifest
    source = manifest.source

    assert source.sha256 == file_entry(exported.checkpoint).sha256
    assert source.published is not None and source.published.startswith("PQ ")
    assert (source.pooling, manifest.certificate.weights) == (
        "global",
        f"those of {exported.checkpoint.name}",
    )
    assert "Cityscapes" in manifest.training_data
