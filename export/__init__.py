"""Export: checkpoint to network to graph to bundle. Runs once and needs torch; the service never imports it."""

EQUAL_PIXELS = 0.995  # of a golden: lower than a float32 runtime reaches, so that reduced precision has room


class ExportError(Exception):
    """A checkpoint, a photograph or an option cannot become the bundle asked for; the message says what to do."""
