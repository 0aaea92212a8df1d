"""Draw the picture of the house in architecture.md: rooms and the imports between them.

A room is a module or a package right below service, model or export. A line runs from the importer to the imported;
a line that a longer path already tells is left out, or nothing could be seen.
"""

import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("service", "model", "export")
OUTSIDE = ("torch", "onnxruntime")  # what the laws are about; all other libraries would only be noise
BEGIN, END = "<!-- house: begin -->", "<!-- house: end -->"

Imports = dict[str, set[str]]  # room -> rooms it imports


def main() -> None:
    """Write the picture between the page's two marks."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_picture(text, picture()), encoding="utf-8")


def with_picture(page: str, drawn: str) -> str:
    """Put a picture between the marks of a page.

    Raises: ValueError: the page has not both marks.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"{PAGE.name} lacks {BEGIN} or {END}; put both where the picture belongs")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


def picture() -> str:
    """Draw the imports of the working tree as a Mermaid block."""
    imports = without_shortcuts(room_imports())
    rooms = sorted(imports)
    lines = ["```mermaid", "flowchart TD"]
    for package in PACKAGES:
        lines += _subgraph(package, [room for room in rooms if room.startswith(f"{package}.")])
    lines += [f'  {name}(["{name}"])' for name in OUTSIDE if name in imports]
    lines += [f"  {_key(room)} --> {_key(other)}" for room in rooms for other in sorted(imports[room])]
    return "\n".join([*lines, "```"])


def room_imports() -> Imports:
    """Read which room imports which, by the imports that stand in the code, those inside functions too."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # grimp finds packages as Python does
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    imports: Imports = {}
    for module in graph.modules:
        if (room := _room(module)) is None:
            continue
        others = {_room(other) for other in graph.find_modules_directly_imported_by(module)}
        imports.setdefault(room, set()).update(other for other in others if other not in {None, room})
    return imports


def without_shortcuts(imports: Imports) -> Imports:
    """Leave out every line whose end is reached by a longer path.

    Raises: graphlib.CycleError: rooms import each other in a circle.
    """
    reach: Imports = {}
    for room in TopologicalSorter(imports).static_order():
        nearest = imports.get(room, set())
        reach[room] = nearest.union(*(reach[other] for other in nearest))
    return {
        room: {end for end in ends if not any(end in reach[other] for other in ends)}
        for room, ends in imports.items()
    }


def _room(module: str) -> str | None:
    """`service.http.routes` is in the room `service.http`; a package's own top and other libraries are in none."""
    if module in OUTSIDE:
        return module
    package, _, rest = module.partition(".")
    return f"{package}.{rest.split('.')[0]}" if package in PACKAGES and rest else None


def _key(room: str) -> str:
    return room.replace(".", "_")


def _subgraph(package: str, rooms: list[str]) -> Iterator[str]:
    data_half = [room for room in rooms if room in _data_half()]
    others = [room for room in rooms if room not in data_half]
    yield f'  subgraph house_{package}["{package}"]'
    if data_half:
        yield '    subgraph house_data["data half: no torch"]'
        yield from (f'      {_key(room)}["{room.split(".")[1]}"]' for room in data_half)
        yield "    end"
    yield from (f'    {_key(room)}["{room.split(".")[1]}"]' for room in others)
    yield "  end"


def _data_half() -> list[str]:
    """The rooms that the contract `data-half` of pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return next(contract["source_modules"] for contract in contracts if contract["id"] == "data-half")


if __name__ == "__main__":
    main()
