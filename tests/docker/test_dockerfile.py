"""The Dockerfile, by its text: what no build would find wrong."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker" / "Dockerfile"
TARGETS = ("cpu", "gpu", "export")
Instruction = dict[str, str]


def stages(text: str, folder: Path) -> dict[str, list[Instruction]]:
    """Instructions of each stage, by its name; those before the first stage under the empty name."""
    copy = folder / "Dockerfile"
    copy.write_text(text)
    found: dict[str, list[Instruction]] = {"": []}
    name = ""
    for instruction in DockerfileParser(str(copy)).structure:
        if instruction["instruction"] == "FROM":
            name = instruction["value"].split()[-1]
        found.setdefault(name, []).append(instruction)
    return found


def lineage(found: dict[str, list[Instruction]], name: str) -> list[Instruction]:
    """A target's instructions after those of the stages that it stands on."""
    own = found[name]
    parent = own[0]["value"].split()[0]
    return (lineage(found, parent) if parent in found else []) + own


def values(instructions: list[Instruction], kind: str) -> list[str]:
    return [each["value"] for each in instructions if each["instruction"] == kind]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a file of the repository through: the last line that fits decides."""
    through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        fits = [fnmatch.fnmatch(path, pattern), path.startswith(f"{pattern}/")]
        if any(fits) or (pattern.startswith("**/") and pattern[3:] in path.split("/")):
            through = line.startswith("!")
    return through


def mistakes(text: str, folder: Path) -> Iterator[str]:
    """All that is wrong with a Dockerfile, in words."""
    found = stages(text, folder)
    if not values(found[""], "ARG")[0].startswith("BASE="):
        yield "the base is no argument"
    for each in values(_all(found), "COPY"):
        sources = each.split()[:-1]
        if not each.startswith("--from="):
            yield from (f"COPY {s}: not there" for s in sources if not (ROOT / s).exists())
            yield from (f"COPY {s}: ignored" for s in sources if not sent(s))
    if any("warm()" in each and "python -I -c" not in each for each in values(_all(found), "RUN")):
        yield "the kernels of the sources are compiled, not the installed ones"
    if any(row["instruction"] == "ADD" for row in _all(found)):
        yield "ADD may fetch; use COPY"
    for target in TARGETS:
        yield from (f"{target}: {word}" for word in _mistakes_of(target, found, lineage(found, target)))


def _all(found: dict[str, list[Instruction]]) -> list[Instruction]:
    return [row for rows in found.values() for row in rows]


def _mistakes_of(target: str, found: dict[str, list[Instruction]], rows: list[Instruction]) -> Iterator[str]:
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", (values(rows, "USER") or ["root"])[-1]):
        yield "the user is no number, or root"
    entry = (values(rows, "ENTRYPOINT") or [""])[-1]
    if not entry.startswith("["):
        yield "the entry point is a shell's"
    if values(rows, "VOLUME") != ["/var/cache/panoptic"]:
        yield "the cache is not the one volume"
    if re.search(r"apt-get|pip\b", " ".join(values(rows, "RUN"))):
        yield "something is installed where it runs"
    if "/opt/sbom.json" not in " ".join(values(rows, "COPY")):
        yield "no list of what is inside"
    if not any("org.opencontainers.image.version" in label for label in values(rows, "LABEL")):
        yield "no labels"
    if target != "export" and (values(rows, "STOPSIGNAL") != ["SIGTERM"] or not values(rows, "HEALTHCHECK")):
        yield "no stop signal or health check"
    if target != "cpu" and "${TENSORRT:+" not in " ".join(values(found[f"wheels-{target}"], "RUN")):
        yield "TensorRT cannot be chosen"
    if target == "gpu" and "NVIDIA_DRIVER_CAPABILITIES=compute,utility" not in " ".join(values(rows, "ENV")):
        yield "the driver's libraries are not asked for"


def test_the_dockerfile_keeps_every_rule(tmp_path: Path) -> None:
    assert list(mistakes(FILE.read_text(), tmp_path)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "word"),
    [
        ("ARG BASE=", "ARG FROM_IMAGE=", "the base is no argument"),
        ("USER 10001:10001", "USER panoptic", "no number"),
        ('ENTRYPOINT ["/opt/venv/bin/panoptic-serve"]', "ENTRYPOINT panoptic-serve", "a shell's"),
        ("VOLUME /var/cache/panoptic", "VOLUME /data", "the one volume"),
        ("RUN install -d", "RUN apt-get install -y curl && install -d", "installed where it runs"),
        ("COPY docker/healthcheck.py", "COPY docker/gone.py", "not there"),
        ("COPY docker/healthcheck.py", "COPY docs", "ignored"),
        ("COPY docker/healthcheck.py", "ADD docker/healthcheck.py", "may fetch"),
        ("python -I -c", "python -c", "kernels of the sources"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL", "no stop signal"),
        ("NVIDIA_DRIVER_CAPABILITIES=compute,utility", "NVIDIA_DRIVER_CAPABILITIES=all", "not asked for"),
        ("org.opencontainers.image.version", "version", "no labels"),
        ('        ${TENSORRT:+"${TENSORRT}"} \\\n', "", "export: TensorRT cannot"),
        ("COPY --from=wheels-cpu /opt/sbom.json /opt/sbom.json", "", "no list"),
    ],
)
def test_a_broken_dockerfile_is_found(right: str, wrong: str, word: str, tmp_path: Path) -> None:
    text = FILE.read_text()
    assert right in text

    assert any(word in mistake for mistake in mistakes(text.replace(right, wrong), tmp_path))


def hadolint(file: Path) -> "subprocess.CompletedProcess[str]":
    command = Path(sys.executable).with_name("hadolint")
    rules = ROOT / "docker" / "hadolint.yaml"
    return subprocess.run([command, "-c", rules, file], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing() -> None:
    ended = hadolint(FILE)

    assert ended.returncode == 0, ended.stdout


def test_hadolint_finds_an_entry_point_of_a_shell(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(
        FILE.read_text().replace('["/opt/venv/bin/panoptic-serve"]', "/opt/venv/bin/panoptic-serve")
    )

    assert "DL3025" in hadolint(broken).stdout


@pytest.mark.parametrize("path", ["service/app.py", "model/labels/coco.json", "pyproject.toml"])
def test_what_the_images_are_made_of_is_sent_to_the_builder(path: str) -> None:
    assert sent(path)


@pytest.mark.parametrize(
    "path",
    [".git/HEAD", ".venv/bin/python", "tests/test_cli.py", "service/__pycache__/app.pyc", "runs/w.pth"],
)
def test_nothing_else_is_sent_to_the_builder(path: str) -> None:
    assert not sent(path)


def test_the_labels_tell_the_version_of_the_project(tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"VERSION={version}" in values(stages(FILE.read_text(), tmp_path)["runtime"], "ARG")


def test_compose_starts_the_service_as_hardened_as_the_manifests() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]

    for name in ("panoptic", "panoptic-gpu"):
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["build"]["target"] in TARGETS
        assert int(service["stop_grace_period"].rstrip("s")) > int(service["environment"]["PANOPTIC_DRAIN_S"])


def test_every_file_that_compose_mounts_is_there() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    mounts = [mount.split(":")[0] for each in services.values() for mount in each.get("volumes", [])]

    assert [mount for mount in mounts if mount[0] == "." and not (ROOT / "docker" / mount).exists()] == []
