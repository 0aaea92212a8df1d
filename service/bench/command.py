"""The command panoptic-bench: load on a server, the cost of each stage, the capacity of a machine."""

import subprocess
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model.bundle import BundleError, read_bundle
from model.extras import missing
from service.pipeline.image_errors import ImageError
from service.settings import EMBEDDED_BUNDLE, Parser, SettingsError, add_settings, read_settings

MISTAKE = 2  # exit code of a wrong option, an unusable file or a server that is not there
INTERRUPTED = 130  # as a shell tells an interrupt
BEHIND = 1  # exit code: there were errors, or no rate was kept up with
EXPORT = (sys.executable, "-m", "export.cli")  # the command panoptic-export, which is run and not imported
SCENE = {"--size": "SIZE", "--instances": "N", "--classes": "N"}  # its options for what is drawn
EPILOG = """\
commands:
  closed URL PHOTO... --connections N,N --seconds S   callers that wait for their answers
  open URL PHOTO... --rate R,R --seconds S            Poisson arrivals; latency counts from when each was due
  stages [PHOTO] --bundle DIR                         processor time of each stage, and how it grows
  capacity [URL] --bundle DIR                         the highest rate kept up with, into DIR/capacity.json
  null-bundle DIR                                     a bundle whose network costs nothing, by panoptic-export

Each has its own --help. Load runs on the client's cores too: use another machine, or read the CPU ms, not the rates.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code is 0, 1 where a server had errors or fell behind, 2 after a mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except (SettingsError, BundleError, ImageError) as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        return _refuse(missing("panoptic-bench", error, "bench"))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(given: list[str]) -> int:
    if given and given[0] in COMMANDS:
        make, run = COMMANDS[given[0]]
        return run(make(f"panoptic-bench {given[0]}").parse_args(given[1:]))
    parser = Parser(
        "panoptic-bench",
        usage="panoptic-bench COMMAND ...",
        description="Measure the service, without torch and without a network's cost where that is wished.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=", ".join(COMMANDS))
    parser.parse_args(given)
    raise AssertionError("a command that is known was dispatched, any other refused")


def _load_parser(name: str) -> Parser:
    parser = Parser(
        name,
        description="Load a running server and tell images a second, latencies, errors, its CPU time and memory.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "url", metavar="URL", help="address, as in http://127.0.0.1:8000; /v1/panoptic is its default path"
    )
    parser.add_argument(
        "photographs", metavar="PHOTO", nargs="+", type=Path, help="photograph to send; all in turns"
    )
    if name.endswith("closed"):
        parser.add_argument(
            "--connections",
            metavar="N",
            default="8",
            help="callers, as in 1,8,64: a run for each [default 8]",
        )
    else:
        parser.add_argument(
            "--rate", metavar="R", required=True, help="arrivals a second, as in 5,10,20: a run for each"
        )
        _add_seed(parser)
    _add_seconds(parser, 10, "of each run")
    parser.add_argument(
        "--format",
        choices=("json", "png", "multipart", "overlay"),
        help="of the answers [default the server's]",
    )
    parser.add_argument(
        "--pid", metavar="N", help="the server's process; by default the one that listens there"
    )
    _add_out(parser)
    return parser


def _stages_parser(name: str) -> Parser:
    parser = Parser(
        name,
        description="Processor time of each stage, on one thread: of a bundle, and around a network with drawn heads, "
        "from 0.2 to 24 megapixels, 0 to 220 instances, 19 and 133 classes.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "photograph", metavar="PHOTO", nargs="?", type=Path, help="for the bundle's stages [default drawn]"
    )
    parser.add_argument("--most-megapixels", metavar="N", default="24", help="end of the curve [default 24]")
    _add_seconds(parser, 2, "of each point, beyond three rounds")
    _add_out(parser)
    add_settings(parser, ("bundle",))
    return parser


def _capacity_parser(name: str) -> Parser:
    parser = Parser(
        name,
        description="Raise the rate of arrivals until the server falls behind, for photographs of each bucket's size, "
        "and write the highest rate that it kept up with into the bundle's directory, as capacity.json.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="address of the server; by default one is started"
    )
    parser.add_argument(
        "--bundle",
        metavar="DIR",
        type=Path,
        default=EMBEDDED_BUNDLE,
        help="directory of the model that it serves [default embedded]",
    )
    _add_seconds(parser, 10, "of each rate")
    _add_seed(parser)
    _add_out(parser)
    return parser


def _null_parser(name: str) -> Parser:
    parser = Parser(
        name,
        description="Write a bundle whose heads are constants: serving it costs what is around a network. It runs "
        "`panoptic-export null --out DIR`, which needs the extra export.",
        allow_abbrev=False,
    )
    parser.add_argument("out", metavar="DIR", help="directory to write; an older bundle there is replaced")
    for option, metavar in SCENE.items():
        parser.add_argument(option, metavar=metavar, help="as of `panoptic-export null`")
    return parser


def _closed(options: Namespace) -> int:
    connections = [int(each) for each in _numbers("--connections", options.connections, whole=True)]
    trial = _trial(options, seed=0)
    return _tell_load(options, [trial.closed(each, options.seconds) for each in connections])


def _open(options: Namespace) -> int:
    rates = _numbers("--rate", options.rate)
    trial = _trial(options, options.seed)
    return _tell_load(options, [trial.open(rate, options.seconds) for rate in rates])


def _trial(options: Namespace, seed: int) -> Any:
    from service.bench.connection import post_file, read_target
    from service.bench.process import listening_pid
    from service.bench.trial import Trial

    target = read_target(options.url, f"format={options.format}" if options.format else "")
    requests = [post_file(target, path) for path in options.photographs]
    if options.pid is None:
        pid = listening_pid(target.host, target.port)
    else:
        pid = int(_numbers("--pid", options.pid, whole=True)[0])
    trial = Trial(target, requests, pid, seed)
    trial.warm()
    return trial


def _tell_load(options: Namespace, runs: list[Any]) -> int:
    from service.bench import report

    text = f"{_machine()}\n\n{report.load_table(runs)}"
    print(text)
    if options.out is not None:
        from service.bench.plots import plot_load

        report.write_report(options.out, text, [report.flat(run) for run in runs])
        plot_load(options.out / "load.png", runs)
    return BEHIND if any(run.errors for run in runs) else 0


def _stages(options: Namespace) -> int:
    from service.bench import report, stages

    most = _numbers("--most-megapixels", options.most_megapixels)[0]
    data = options.photograph.read_bytes() if options.photograph else None
    settings = read_settings({"bundle": options.bundle, "threads": 1})
    costs = stages.measure_bundle(settings, data, seconds=options.seconds)
    print(f"{_machine()}\n\nStages of {settings.bundle.name}:\n\n{report.costs_table(costs)}\n", flush=True)
    curves = stages.measure_curves(seconds=options.seconds, most_megapixels=most)
    text = report.curves_text(curves)
    print(text)
    if options.out is not None:
        from service.bench.plots import plot_curves

        content = {
            "stages": costs,
            "curves": {name: list(map(report.flat, points)) for name, points in curves.items()},
        }
        report.write_report(options.out, f"{_machine()}\n\n{report.costs_table(costs)}\n\n{text}", content)
        plot_curves(options.out, curves)
    return 0


def _capacity(options: Namespace) -> int:
    from service.bench.capacity import measure_capacity
    from service.bench.connection import read_target
    from service.bench.process import listening_pid
    from service.bench.server import running_server
    from service.capacity import write_capacity

    bundle = read_bundle(options.bundle)
    chosen = {"seconds": options.seconds, "seed": options.seed}
    if options.url is None:
        with running_server(options.bundle) as server:
            found = measure_capacity(bundle, read_target(server.address), pid=server.pid, **chosen)
    else:
        target = read_target(options.url)
        found = measure_capacity(bundle, target, pid=listening_pid(target.host, target.port), **chosen)
    path = write_capacity(bundle, found[0])
    _tell_capacity(options, *found)
    print(f"\nWritten into {path}.")
    return 0 if all(knee.held for knee in found[1].values()) else BEHIND


def _null_bundle(options: Namespace) -> int:
    drawn = ((option, getattr(options, option.removeprefix("--"))) for option in SCENE)
    words = [word for option, value in drawn if value is not None for word in (option, value)]
    return subprocess.run([*EXPORT, "null", "--out", options.out, *words], check=False).returncode


def _tell_capacity(options: Namespace, capacity: Any, knees: Mapping[Any, Any]) -> None:
    from service.bench import report

    parts = [_machine()]
    for (rows, columns), knee in knees.items():
        parts.append(f"{rows}x{columns}: {knee.images_per_s:.3g} images/s\n\n{report.load_table(knee.runs)}")
    text = "\n\n".join(parts)
    print(text)
    if options.out is not None:
        from service.bench.plots import plot_load

        report.write_report(options.out, text, capacity.model_dump(mode="json"))
        for (rows, columns), knee in knees.items():
            plot_load(options.out / f"knee-{rows}x{columns}.png", knee.runs)


def _machine() -> str:
    from service.bench.machine import describe, this_machine

    return describe(this_machine())


def _add_seconds(parser: Parser, default: float, what: str) -> None:
    parser.add_argument(
        "--seconds", metavar="S", type=_seconds, default=default, help=f"{what} [default {default:g}]"
    )


def _add_seed(parser: Parser) -> None:
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the arrivals [default 0]")


def _add_out(parser: Parser) -> None:
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="directory for report.md, figures.json and pictures"
    )


def _seconds(text: str) -> float:
    return _numbers("--seconds", text)[0]


def _numbers(option: str, text: str, *, whole: bool = False) -> list[float]:
    """Positive numbers, separated by commas."""
    try:
        found = [float(int(part) if whole else float(part)) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < number < float("inf") for number in found):
        kind = "whole numbers above 0" if whole else "numbers above 0"
        raise SettingsError(f"{option} is {text!r}: it must be {kind}, separated by commas.")
    return found


def _refuse(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)
    return MISTAKE


COMMANDS: dict[str, tuple[Callable[[str], Parser], Callable[[Namespace], int]]] = {
    "closed": (_load_parser, _closed),
    "open": (_load_parser, _open),
    "stages": (_stages_parser, _stages),
    "capacity": (_capacity_parser, _capacity),
    "null-bundle": (_null_parser, _null_bundle),
}

if __name__ == "__main__":
    sys.exit(main())
