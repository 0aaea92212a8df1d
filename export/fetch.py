"""Published weights, fetched into a cache once; what was begun is taken up again."""

from pathlib import Path

import gdown
import platformdirs
import requests
from gdown.exceptions import DownloadError

from export import ExportError
from model.checkpoints.zoo import ZOO, Publication

FOLDER = "panoptic-service"  # under the user's own cache directory
TIMEOUT_SECONDS = 60  # between two pieces of a file
RETRIES = 3  # after a broken connection


def find_publication(variant: str) -> Publication:
    """Where a variant's weights are published.

    Raises: ExportError: none are; the message lists those there are.
    """
    if variant not in ZOO:
        raise ExportError(
            f"there are no published weights {variant!r}; there are {', '.join(sorted(ZOO))}."
            " Or give a weights file of your own."
        )
    return ZOO[variant]


def default_cache() -> Path:
    """The user's own cache directory for weights."""
    return platformdirs.user_cache_path(FOLDER) / "weights"


def fetch(publication: Publication, cache: Path, *, retries: int = RETRIES) -> Path:
    """The file in the cache, downloaded with a progress bar on stderr where it is not there yet.

    Args:
        retries: attempts after a broken connection, each going on where the one before ended. What is there when
            they are used up stays in the cache, and the next call goes on from it.

    Raises: ExportError: it cannot be had; the message says what to fetch by hand, and where to put it.
    """
    path = cache / publication.file
    if path.is_file():
        return path
    if publication.is_folder:
        raise ExportError(
            _by_hand(publication, path, "its address is a folder, from which a person must choose")
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        gdown.download(
            publication.url,
            str(path),
            resume=True,
            retries=retries,
            timeout=TIMEOUT_SECONDS,
            use_cookies=False,
        )
    except (DownloadError, requests.RequestException, OSError) as error:
        raise ExportError(_by_hand(publication, path, _reason(error))) from error
    return path


def _by_hand(publication: Publication, path: Path, reason: str) -> str:
    return (
        f"the weights {publication.variant} could not be fetched ({reason}). "
        f"Fetch {publication.url} by hand and put it at {path}, or give the file as CHECKPOINT."
    )


def _reason(error: Exception) -> str:
    """An error of the network in a few words, for its own are a page long."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return " ".join(str(error).split())
