"""Print a pinned version for every package that any extra of the project may install.

pip resolves each set in a dry run, so that nothing is installed; sets that cannot be installed side by side are
resolved one after the other, the later ones under the earlier ones' pins.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETS = (".[export,train,evaluate,client,bench,dev]", ".[openvino]", ".[gpu]")
EXACT = ("torch==2.14.1", "torchvision==0.29.1")  # goldens and certificates were made with these
HEADER = "# Every package, at the version the tests ran with. Made by `make constraints` from pyproject.toml."


def main() -> None:
    """Resolve all sets and print one sorted list of pins."""
    pins = dict(line.split("==") for line in EXACT)
    for requirement in SETS:
        pins |= {name: version for name, version in resolve(requirement, pins).items() if name not in pins}
    print(HEADER)
    print("\n".join(f"{name}=={version}" for name, version in sorted(pins.items())))


def resolve(requirement: str, pins: dict[str, str]) -> dict[str, str]:
    """Let pip choose versions for a requirement of this project, in normalised names, the project itself left out."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("".join(f"{name}=={version}\n" for name, version in pins.items()))
        constraints.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
        ]
        command += ["--report", "-", "--constraint", constraints.name, requirement]
        report = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    packages = [row["metadata"] for row in json.loads(report)["install"]]
    return {
        package["name"].lower().replace("_", "-").replace(".", "-"): package["version"]
        for package in packages
        if package["name"] != "panoptic-service"
    }


if __name__ == "__main__":
    main()
