"""Extras of the package: what to say where a library of one is missing."""


def missing(command: str | None, error: ModuleNotFoundError, extra: str) -> str:
    """The sentence that names the library, and the extra that brings it."""
    return f"{command} needs {error.name}, which is not installed: pip install 'panoptic-service[{extra}]'."
