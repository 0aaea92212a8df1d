"""Checkpoints: files of weights, ours and other people's, laid into our network. Reading executes nothing."""


class CheckpointError(Exception):
    """A file holds no weights this program can use; the message says what was found and what to do."""
