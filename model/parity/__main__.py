"""`python -m model.parity --goldens DIR --keys DIR`: compare with every golden and print the table."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from model.command_line import run_command
from model.parity.findings import Finding, Skipped
from model.parity.report import family_table
from model.parity.walk import walk_goldens, walk_keys
from model.variants import VARIANTS

OUT_OF_TOLERANCE = 1  # exit code
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("python -m model.parity")
@click.option("--goldens", type=FOLDER, required=True, help="Folder of .npz files.")
@click.option("--keys", type=FOLDER, required=True, help="Folder of key manifests, FLAVOUR-VARIANT.json.")
@click.option("--markdown", is_flag=True, help="Print the family instead, a line for each variant.")
def parity(goldens: Path, keys: Path, *, markdown: bool) -> int:
    """Compare our networks and merging with measurements of the published programs.

    Ends with 1 where anything is out of tolerance, or nothing could be compared.
    """
    rows = [*walk_keys(keys), *walk_goldens(goldens, keys)]
    findings = [row for row in rows if isinstance(row, Finding)]
    skipped = [row for row in rows if isinstance(row, Skipped)]
    failed = [finding for finding in findings if not finding.holds]
    if markdown:
        for line in family_table(findings, VARIANTS.values()):
            click.echo(line)
        return 0 if findings and not failed else OUT_OF_TOLERANCE
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(_table(findings))
    for why in dict.fromkeys(row.why for row in skipped):
        names = [row.golden for row in skipped if row.why == why]
        console.print(f"Skipped {len(names)}, {why}: {', '.join(names)}", style="dim", highlight=False)
    console.print(f"{len(findings) - len(failed)} of {len(findings)} comparisons hold.", highlight=False)
    return 0 if findings and not failed else OUT_OF_TOLERANCE


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("golden", "what", "found", "allowed", "")
    for row in findings:
        verdict = "[green]holds[/]" if row.holds else "[bold red]FAILS[/]"
        table.add_row(row.golden, row.what, row.found, row.allowed, verdict)
    return table


if __name__ == "__main__":
    run_command(parity, sys.argv[1:])
