"""`panoptic-export`: a checkpoint becomes a bundle, and other commands prove it, or make bundles and engines of it."""

import sys
from typing import NoReturn

from export import ExportError
from export.commands.engine import engine
from export.commands.export import export
from export.commands.merge import merge
from export.commands.null import null
from export.commands.quantize import quantize
from export.commands.verify import verify
from model.bundle import BundleError
from model.checkpoints import CheckpointError
from model.command_line import run_command

COMMANDS = {"engine": engine, "merge": merge, "null": null, "quantize": quantize, "verify": verify}


def main() -> NoReturn:
    """Run `panoptic-export`."""
    arguments = sys.argv[1:]
    command = COMMANDS.get(arguments[0] if arguments else "", export)
    rest = arguments if command is export else arguments[1:]
    mistakes = (BundleError, CheckpointError, ExportError, OSError)
    run_command(command, rest, mistakes, extra="export")


if __name__ == "__main__":
    main()
