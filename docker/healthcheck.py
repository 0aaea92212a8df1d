"""Whether the server in this container is ready: exit code 0 or 1, with one sentence on stderr.

It needs nothing but Python, so that it starts in a few hundredths of a second.
"""

import os
import sys
import urllib.error
import urllib.request

_TIMEOUT_S = 2


def main() -> int:
    """Ask /readyz on the port that the server was given."""
    address = f"http://127.0.0.1:{os.environ.get('PANOPTIC_PORT', '8000')}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as error:
        print(f"{address} answers {error.code}.", file=sys.stderr)
    except OSError as error:
        print(f"Nothing answers at {address}: {error}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
