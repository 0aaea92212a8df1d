"""The docs: links lead somewhere, names exist, and no page speaks of one machine."""

import re
import tomllib
from pathlib import Path

import pytest

from service.http.problems import PROBLEM_TYPES
from service.settings import Settings, flag, variable

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "docker" / "README.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
]
TEXT = {".cfg", ".html", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}
ONE_MACHINE = re.compile(r"(?<![\w.])/(?:work|tmp|root|home|Users)/\w|\.\./shared")
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)|(?:src|href)=\"(?!https?:|mailto:)([^\"]+)\"")


def anchors(page: Path) -> set[str]:
    """The names that a forge gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a relative link's file exists, and its heading in it."""
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def ours() -> list[Path]:
    """Files whose text is the project's word to others."""
    folders = [ROOT / name for name in ("docs", "service", "model", "export", "docker", "k8s", "benchmarks")]
    found = [path for folder in folders for path in sorted(folder.rglob("*"))]
    top = [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".txt"}] + [ROOT / "Makefile"]
    return [path for path in [*found, *top] if path.is_file() and path.suffix in TEXT]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = [first or second for first, second in LINK.findall(text)]

    assert [link for link in links if not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_the_docs_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))

    named = set(re.findall(r"(?:`|^\$ |^)make ([a-z0-9-]+)", page.read_text(encoding="utf-8"), re.M))

    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_docs_exists(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    named = set(
        re.findall(r"(?:`|^\$ |^|bin/)(panoptic-[a-z]+)\b(?!-)", page.read_text(encoding="utf-8"), re.M)
    )

    assert named <= {project["name"], *project["scripts"]}


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    pages, reached = [ROOT / "README.md"], set()
    while pages:
        page = pages.pop()
        reached.add(page)
        links = [first or second for first, second in LINK.findall(page.read_text(encoding="utf-8"))]
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links}
        pages += [
            target
            for target in targets
            if target.suffix == ".md" and target.exists() and target not in reached
        ]

    assert set(ROOT.glob("docs/**/*.md")) <= reached


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_told_as_flag_and_as_variable(name: str) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert f"`{flag(name)}`" in text
    assert f"`{variable(name)}`" in text


@pytest.mark.parametrize("name", PROBLEM_TYPES)
def test_every_problem_type_is_told_in_the_docs(name: str) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    assert f"`{name}`" in text


def test_no_file_speaks_of_one_machine() -> None:
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in ours()}

    assert [path for path, text in texts.items() if ONE_MACHINE.search(text)] == []
