"""The command panoptic-predict: the service's walk over files, without a server or through one."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import service.blas  # noqa: F401 - before NumPy
from model.bundle import BundleError, read_bundle
from service.app import open_predictor
from service.pipeline.encode import describe, panoptic_png, to_json
from service.pipeline.image_errors import ImageError
from service.pipeline.overlay import draw_overlay, encode_overlay
from service.pipeline.predictor import Predictor
from service.settings import Parser, SettingsError, add_settings, flag, read_settings

MISTAKE = 2  # exit code of a wrong option or an unusable file
SETTINGS = ("bundle", "backend", "precision", "threads", "max_megapixels")


def main(arguments: Sequence[str] | None = None) -> int:
    """Segment photographs; the exit code is 0, 1 where some are no usable photographs, 2 after a mistake."""
    try:
        options = vars(_parser().parse_args(arguments))
        photographs, out, url = (options.pop(name) for name in ("photographs", "out", "url"))
        settings = read_settings(options)
        _check(photographs)
        out.mkdir(parents=True, exist_ok=True)
        if url is not None:
            return 0 if _by_server(url, photographs, out, options) else 1
        predictor = open_predictor(read_bundle(settings.bundle), settings)
    except (SettingsError, BundleError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return MISTAKE
    except OSError as error:
        print(f"Error: {error.filename}: {error.strerror}.", file=sys.stderr)
        return MISTAKE
    try:
        done = [_predict(predictor, photograph, out / name) for photograph, name in _named(photographs)]
    finally:
        predictor.close()
    return 0 if all(done) else 1


def _parser() -> Parser:
    parser = Parser(
        "panoptic-predict",
        description="Segment photographs: writes NAME.png (COCO panoptic), NAME.json (segments) and "
        "NAME.overlay.jpg (to look at) for each.",
        allow_abbrev=False,
    )
    parser.add_argument("photographs", metavar="PHOTO", nargs="+", type=Path, help="file of a photograph")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="directory for the answers; made where missing"
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="ask this server instead of loading a model; the overlay is a WebP then [extra: client]",
    )
    add_settings(parser, SETTINGS)
    return parser


def _by_server(url: str, photographs: Sequence[Path], out: Path, options: Mapping[str, object]) -> bool:
    """The same by a server.

    Raises: SettingsError: the extra is missing, or an option is the server's own to have.
    """
    for name, value in options.items():
        if value is not None:
            raise SettingsError(f"{flag(name)} is for a model of one's own; with --url the server has its.")
    try:
        from service.client.files import predict_by_server
    except ImportError as error:
        raise SettingsError(
            f"--url needs {error.name}. Install it with `pip install 'panoptic-service[client]'`."
        ) from error
    return predict_by_server(url, [(photograph, out / name) for photograph, name in _named(photographs)])


def _check(photographs: Sequence[Path]) -> None:
    for photograph in photographs:
        if not photograph.is_file():
            raise SettingsError(f"{photograph} is no file. Name photographs, each a file.")


def _named(photographs: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """A name for each photograph's answers: its own without the suffix, numbered where two have the same."""
    used: set[str] = set()
    for photograph in photographs:
        name, number = photograph.stem, 2
        while name in used:
            name, number = f"{photograph.stem}-{number}", number + 1
        used.add(name)
        yield photograph, name


def _predict(predictor: Predictor, photograph: Path, target: Path) -> bool:
    """Segment one photograph and say so in one line; false where it is none."""
    try:
        prepared = predictor.prepare(photograph.read_bytes(), keep_photograph=True)
    except (ImageError, OSError) as error:
        print(f"{photograph}: {error}", file=sys.stderr)
        return False
    panoptic, timings = predictor.finish(prepared, predictor.submit(prepared).result())
    assert prepared.shown is not None  # it was told to keep it
    overlay = draw_overlay(prepared.shown, panoptic.ids, panoptic.segments, predictor.manifest.categories)
    document = describe(
        panoptic.segments,
        request_id=target.name,
        bundle=predictor.bundle,
        size=prepared.sizes.output,
        orientation=prepared.orientation,
        timings_ms=timings,
    )
    _suffixed(target, ".png").write_bytes(panoptic_png(panoptic))
    _suffixed(target, ".json").write_bytes(to_json(document, indent=True))
    _suffixed(target, ".overlay.jpg").write_bytes(encode_overlay(overlay, "JPEG"))
    print(f"{photograph}: {len(panoptic.segments)} segments, see {_suffixed(target, '.overlay.jpg')}")
    return True


def _suffixed(target: Path, suffix: str) -> Path:
    """Unlike `with_suffix` it keeps a name's own dots."""
    return target.with_name(target.name + suffix)


if __name__ == "__main__":
    sys.exit(main())
