"""What the commands share: how sizes and photographs are given, and how a bundle is told."""

import re
from pathlib import Path

import click

from model.bundle import Bundle

Sizes = tuple[tuple[int, int], ...]  # rows, columns
FILE = click.Path(path_type=Path)


def read_buckets(context: click.Context, option: click.Parameter, text: str | None) -> Sizes | None:
    """Parse `384x512,512x384`: rows x columns, separated by commas."""
    if text is None:
        return None
    parts = [re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", part.strip()) for part in text.split(",")]
    if not all(parts):
        raise click.BadParameter(
            f"{text!r} is no list of sizes; write rows x columns, as in 384x512,512x384."
        )
    return tuple((int(part[1]), int(part[2])) for part in parts if part)


def photographs(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Files, and the files of folders in order of name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
    return tuple(found)


def report_step(line: str) -> None:
    """Tell a step on stderr."""
    click.echo(f"{line} …", err=True)


def tell_bundle(bundle: Bundle, compared: tuple[str, str] = ("torch", "ONNX Runtime")) -> None:
    """Tell how far its graph differs from what it was made of, and its name, size and digest."""
    certificate = bundle.manifest.certificate
    for head, difference in certificate.max_abs_difference.items():
        click.echo(f"{head}: {' and '.join(compared)} differ by at most {difference:.1e}", err=True)
    click.echo(f"{certificate.equal_panoptic_pixels:.4%} of the panoptic pixels are equal", err=True)
    size = sum(entry.size for entry in bundle.manifest.files.values()) / 1e6
    words = f"{bundle.manifest.name} {bundle.manifest.version}, {size:.1f} MB, {bundle.digest[:12]}"
    click.echo(f"{bundle.path}: {words}")
