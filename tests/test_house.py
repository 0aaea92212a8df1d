"""The house: laws of imports, sizes of files and functions, and lists that are true."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from docs.house import PAGE, picture, with_picture

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("service", "model", "export")
DATA_HALF = (
    "model.bundle",
    "model.categories",
    "model.curriculum",
    "model.declaration",
    "model.fit",
    "model.scene",
    "model.variants",
)
EXTRAS = {
    "service": ["bench", "client", "evaluate", "gpu", "openvino", "otel"],
    "model": ["export", "gpu", "train"],
    "export": ["export"],
    "tests": ["bench", "client", "dev", "evaluate", "export", "train"],
}


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def modules_loaded_by(statement: str) -> set[str]:
    """Top names of what a fresh interpreter has loaded after a statement."""
    command = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return set(ended.stdout.split())


def own_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_names(path: Path) -> Iterator[str]:
    """Top names of all absolute imports in a file, those inside functions too, and of `files("package")`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "files" and node.args:
            yield from (str(part.value).split(".")[0] for part in node.args if isinstance(part, ast.Constant))


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Names of the default dependencies and those of some extras."""
    project = PROJECT["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {normalized(re.split(r"[<>=\[ ;]", row)[0]) for rows in lists for row in rows}


def test_the_import_contracts_hold() -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "module",
    [
        "service.app",
        "service.serve",
        "service.predict",
        "service.evaluate",
        "service.evaluation.run",
        "service.bench.capacity",
    ],
)
def test_the_service_loads_no_torch(module: str) -> None:
    assert modules_loaded_by(f"import {module}").isdisjoint({"torch", "torchvision", "onnx", "export"})


@pytest.mark.parametrize("module", DATA_HALF)
def test_the_data_half_loads_no_torch(module: str) -> None:
    assert modules_loaded_by(f"import {module}").isdisjoint({"torch", "torchvision"})


def test_the_picture_of_the_house_is_drawn_from_the_imports_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_picture(page, picture()), "run `make house`"


@pytest.mark.parametrize("path", python_files(*PACKAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_first_line_of_a_file_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(text)) or not text.strip()


def test_no_file_is_longer_than_350_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*PACKAGES)}

    assert {path: length for path, length in lengths.items() if length > 350} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in python_files(*PACKAGES)
        for function in own_functions(path)
    }

    assert {name: length for name, length in lengths.items() if length > 60} == {}


def test_no_file_is_a_drawer_for_anything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base"}

    assert [path for path in python_files(*PACKAGES) if drawers & {path.stem, path.parent.name}] == []


@pytest.mark.parametrize("folder", EXTRAS)
def test_every_library_that_is_imported_is_in_the_lists_of_pyproject(folder: str) -> None:
    distributions = packages_distributions()
    own = {*PACKAGES, "tests", "docs", "benchmarks", "k8s", *sys.stdlib_module_names}
    names = {name for path in python_files(folder) for name in imported_names(path)} - own

    found = {normalized(distributions.get(name, [name])[0]) for name in names}

    assert found - declared(*EXTRAS[folder]) == set()


def test_every_version_that_is_pinned_is_allowed_by_the_lists() -> None:
    pins = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]

    assert declared(*PROJECT["project"]["optional-dependencies"]) <= {name for name, _ in pins}


def test_every_folder_of_code_is_a_package_that_the_wheel_takes() -> None:
    folders = {path.parent for path in python_files(*PACKAGES)}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_file_of_data_is_in_the_wheel() -> None:
    packed = {
        path
        for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
    }
    present = {path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}

    assert {
        path for path in present - packed if "__pycache__" not in path.parts and path.suffix != ".py"
    } == set()
