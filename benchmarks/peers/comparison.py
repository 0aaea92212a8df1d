"""A comparison: all servers up, asked once for the same answer, then loaded in turns."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import processes
from benchmarks.peers.answers import NoAnswer, agreement, read_answer
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.environment import Missing
from benchmarks.peers.load import closed_loop
from benchmarks.peers.report import Conditions, Report
from benchmarks.peers.rounds import Turn, play, sum_up
from benchmarks.peers.server import OURS, Launch, Server, engine_of, launch_ours, launch_peer, running
from benchmarks.peers.task import write_task
from benchmarks.scenes import jpeg
from export.null import write_null_bundle
from model.bundle import Bundle, Size, read_bundle
from service.pipeline.predictor import available_cores

NULL_SIZE: Size = (512, 1024)
NULL_INSTANCES, NULL_CLASSES = 30, 19
LEAST_AGREEMENT = 0.9  # of the pixels; below it a server was not asked, or did not do, the same


@dataclass(frozen=True)
class Plan:
    """What is asked of all."""

    graph: str  # `null`, or a bundle's directory
    merging: str
    runtime: str  # of the peers
    backend: str  # of ours
    connections: int
    rounds: int
    seconds: float


def compare(peers: Sequence[Peer], plan: Plan, folder: Path, say: Callable[[str], None]) -> Report:
    """Run ours and the peers; those that cannot be run are left out with the reason.

    Args:
        folder: for graphs and the servers' logs.
        say: told what happens, a line at a time.

    Raises:
        BundleError, NoSuchGraph: the graph cannot be served by all.
        Missing, NoAnswer: ours did not start.
    """
    bundle = open_graph(plan.graph, folder)
    size = bundle.manifest.input.buckets[0]
    photograph = jpeg(size)
    enlarge = plan.merging == "input"
    task = write_task(bundle, size, folder, runtime=plan.runtime, threads=available_cores(), enlarge=enlarge)
    load_before = os.getloadavg()[0]
    with ExitStack() as stack:
        ours = _start(stack, launch_ours(bundle.path, photograph, plan.backend), folder, say)
        servers, agreements, skipped = {OURS: ours}, {OURS: 1.0}, {}
        for peer in peers:
            try:
                server = _start(stack, launch_peer(peer, task, photograph), folder, say)
                agreements[peer.name] = _check(ours, server)
                servers[peer.name] = server
            except (Missing, NoAnswer) as reason:
                skipped[peer.name] = str(reason)
                say(f"{peer.title} is left out: {reason}")
        engine = engine_of(ours)
        for server in servers.values():
            processes.pause(server.mark)
        turns = play(
            tuple(servers), plan.rounds, lambda name, number: _turn(servers[name], number, plan, say)
        )
    conditions = Conditions(
        bundle.manifest.name,
        plan.merging,
        plan.runtime,
        engine,
        size,
        plan.connections,
        plan.rounds,
        plan.seconds,
        datetime.now(UTC).date().isoformat(),
        processor(),
        available_cores(),
        (load_before, os.getloadavg()[0]),
    )
    titles = {OURS: ours.title} | {peer.name: peer.title for peer in peers}
    start_s = {name: server.start_s for name, server in servers.items()}
    return Report(conditions, titles, sum_up(turns, OURS), start_s, agreements, skipped, turns)


def open_graph(graph: str, folder: Path) -> Bundle:
    """The bundle `null`, written anew, or one from its directory.

    Raises: BundleError: there is none that can be trusted.
    """
    return write_peers_null(folder / "null", NULL_SIZE) if graph == "null" else read_bundle(Path(graph))


def write_peers_null(out: Path, size: Size) -> Bundle:
    """The null bundle whose graph normalises, since the peers normalise in numpy and are to pay for no more than we."""
    return write_null_bundle(out, size=size, instances=NULL_INSTANCES, classes=NULL_CLASSES, normalised=True)


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _start(stack: ExitStack, launch: Launch, folder: Path, say: Callable[[str], None]) -> Server:
    server = stack.enter_context(running(launch, folder / f"{launch.name}.log"))
    say(f"{server.title} answered after {server.start_s:.1f} s")
    return server


def _check(ours: Server, server: Server) -> float:
    """The share of pixels on which a server agrees with us.

    Raises: NoAnswer: too few, or it answers something else.
    """
    share = agreement(read_answer(ours.answer), read_answer(server.answer))
    if share < LEAST_AGREEMENT:
        raise NoAnswer(f"it gives another answer: {share:.1%} of its pixels are of our category")
    return share


def _turn(server: Server, number: int, plan: Plan, say: Callable[[str], None]) -> Turn:
    """A server's turn, in which the others are paused."""
    processes.resume(server.mark)
    before = processes.cpu_ms(server.mark)
    load = closed_loop(server.request, plan.connections, plan.seconds)
    spent, memory = processes.cpu_ms(server.mark) - before, processes.memory(server.mark)
    processes.pause(server.mark)
    rate = len(load.latencies_ms) / load.seconds
    cost = spent / load.answered if load.answered else float("nan")
    say(f"round {number + 1}: {server.title} {rate:.1f} images/s, {cost:.1f} CPU ms an image")
    return Turn(server.name, number, rate, load.latencies_ms, cost, memory, load.errors)
