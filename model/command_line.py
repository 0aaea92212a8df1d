"""How our commands end: well, or with one plain sentence on stderr and exit code 2, never with a traceback."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from model.extras import missing

MISTAKE = 2  # exit code of a wrong option or an unusable file


def run_command(
    command: click.Command,
    arguments: Sequence[str],
    mistakes: tuple[type[Exception], ...] = (),
    extra: str | None = None,
) -> NoReturn:
    """Run a command and leave the process with its exit code.

    Args:
        mistakes: errors of ours whose message is the sentence a person should read.
        extra: of the package, which brings the libraries that the command needs; None: they are always there.
    """
    try:
        with command.make_context(command.name, list(arguments)) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)  # as a shell tells an interrupt
    except click.ClickException as error:
        _refuse(error.format_message())
    except mistakes as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        if extra is None:
            raise
        _refuse(missing(command.name, error, extra))
    sys.exit(code or 0)


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(MISTAKE)
