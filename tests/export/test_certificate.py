"""The certificate tells what is so."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession

from export.certificate import Agreement, answer, compare, open_graph, run_graph, run_network
from export.pictures import stand_in_picture
from model.bundle import Bundle, BundleError
from model.network.panoptic_deeplab import PanopticDeepLab


def test_the_manifest_holds_the_differences_that_are_measured_again(
    bundle: Bundle, session: InferenceSession, network: PanopticDeepLab
) -> None:
    pictures = [stand_in_picture(bucket) for bucket in bundle.manifest.input.buckets]

    again = compare(network, session, pictures, bundle.manifest.merging)

    told = bundle.manifest.certificate.max_abs_difference
    assert again.differences == pytest.approx(told, abs=1e-5)


def test_the_share_of_equal_pixels_counts_them(
    bundle: Bundle, session: InferenceSession, network: PanopticDeepLab
) -> None:
    picture = stand_in_picture((64, 96))
    merging = bundle.manifest.merging
    ours = answer(run_network(network, picture.as_batch()), picture, network.variant, merging)
    theirs = answer(run_graph(session, picture.as_batch()), picture, network.variant, merging)

    share = compare(network, session, [picture], merging).equal_pixels

    assert share == pytest.approx(float((ours == theirs).float().mean()))


def test_a_changed_network_is_out_of_tolerance(
    bundle: Bundle, session: InferenceSession, network: PanopticDeepLab
) -> None:
    bias = network.offset_head.predictor.bias
    assert bias is not None
    kept = bias.detach().clone()
    with torch.no_grad():
        bias += 0.5
    try:
        agreement = compare(network, session, [stand_in_picture((64, 96))], bundle.manifest.merging)
    finally:
        with torch.no_grad():
            bias.copy_(kept)

    assert agreement.misfits()[0].startswith("offset differs by 5.00e-01")


def test_few_equal_pixels_are_a_misfit() -> None:
    none = dict.fromkeys(("semantic", "center", "offset"), 0.0)

    misfits = Agreement(none, none, equal_pixels=0.5).misfits()  # type: ignore[arg-type]

    assert misfits == ["only 50.0000% of the panoptic pixels agree"]


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(np.arange(100, dtype=np.uint8).tobytes())

    with pytest.raises(BundleError, match="is no graph that ONNX Runtime reads"):
        open_graph(path)
