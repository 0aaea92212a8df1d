"""The command `python -m benchmarks.peers`: other servers beside ours, on the same photographs and the same graph."""

import sys
from pathlib import Path

import click

from benchmarks.peers import environment
from benchmarks.peers.answers import NoAnswer
from benchmarks.peers.catalogue import PEERS, UnknownPeer, find_peers
from benchmarks.peers.comparison import Plan, compare
from benchmarks.peers.environment import Missing
from benchmarks.peers.report import NoPlace, to_json, to_markdown, write_into
from benchmarks.peers.servers.usual import RUNTIMES
from benchmarks.peers.task import NoSuchGraph
from model.bundle import BundleError
from model.command_line import run_command

MISTAKES = (UnknownPeer, Missing, NoAnswer, NoPlace, NoSuchGraph, BundleError)
BUNDLES = environment.ROOT / "service" / "bundles"
NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.group()
def peers() -> None:
    """Compare this service with others that serve the same graph."""


@peers.command()
@NAMES
@click.option("--python", default=sys.executable, help="The interpreter of their environments.")
def install(names: tuple[str, ...], python: str) -> int:
    """Make the environments of peers under build/peers; no NAME is all."""
    failed = 0
    for peer in find_peers(names):
        try:
            click.echo(f"{peer.name}: {environment.install(peer, python)}")
        except Missing as reason:
            click.echo(f"{peer.name}: left out, {reason}", err=True)
            failed += 1
    return 1 if failed else 0


@peers.command(name="list")
def list_() -> None:
    """Tell which peers there are, and which are installed."""
    for peer in PEERS:
        try:
            state = str(environment.programs(peer))
        except Missing as reason:
            state = str(reason)
        click.echo(f"{peer.name:12} {peer.title:28} {state}")


@peers.command()
@NAMES
@click.option("--graph", default="null", help="null, an embedded bundle's name, or a bundle's directory.")
@click.option(
    "--merging",
    type=click.Choice(["own", "input"]),
    default="own",
    help="Whether peers merge at the heads' own size, which is cheaper, or at the input's, as published.",
)
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    default="onnxruntime",
    help="What computes the peers' heads; OpenVINO in the precision that it takes by itself.",
)
@click.option(
    "--backend",
    type=click.Choice(["onnxruntime", "auto"]),
    default="onnxruntime",
    help="What computes ours: ONNX Runtime, or what it chooses by itself.",
)
@click.option("--connections", type=click.IntRange(1, 256), default=8)
@click.option("--rounds", type=click.IntRange(1), default=5)
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=5.0, help="Of each turn.")
@click.option("--out", type=click.Path(path_type=Path), default=environment.FOLDER / "results")
@click.option(
    "--page",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A page to put the table into, between the markers of this graph.",
)
def run(
    names: tuple[str, ...],
    graph: str,
    merging: str,
    runtime: str,
    backend: str,
    connections: int,
    rounds: int,
    seconds: float,
    out: Path,
    page: Path | None,
) -> None:
    """Load ours and the peers in turns; no NAME is all. Peers that do not run are left out with the reason."""
    plan = Plan(_graph(graph), merging, runtime, backend, connections, rounds, seconds)
    out.mkdir(parents=True, exist_ok=True)
    report = compare(find_peers(names), plan, out.resolve(), lambda line: click.echo(line, err=True))
    table, stem = to_markdown(report), f"{report.conditions.graph}-{merging}"
    if runtime != "onnxruntime":
        stem += f"-{runtime}"
    if backend == "auto":
        stem += "-auto"
    (out / f"{stem}.json").write_text(to_json(report), encoding="utf-8")
    (out / f"{stem}.md").write_text(table, encoding="utf-8")
    click.echo(table)
    if page is not None:
        write_into(page, stem, table)


def _graph(name: str) -> str:
    return str(BUNDLES / name) if (BUNDLES / name).is_dir() else name


if __name__ == "__main__":
    run_command(peers, sys.argv[1:], MISTAKES)
