"""Errors of the client.

PanopticError
├── Refused      the server answered with a problem
└── Unanswered   there was no answer, or none that can be read
"""

from collections.abc import Mapping
from typing import Any


class PanopticError(Exception):
    """A photograph has no answer; the message says why."""


class Refused(PanopticError):
    """The server answered with a problem (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None):
        """Keep what the server said.

        Args:
            problem: its members; without them the status stands for itself.
            retry_after_s: when to come again, as the server computed it.
        """
        self.status = status
        self.name = str(problem.get("type", "")).rpartition("/")[
            2
        ]  # `queue-full`; empty where a proxy answered
        self.detail = str(problem.get("detail", ""))
        self.request_id = str(problem.get("instance", ""))
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.name}: {self.detail}" if self.name else f"The answer is {status}.")


class Unanswered(PanopticError):
    """The server cannot be reached, did not answer in time, or answered something else."""
