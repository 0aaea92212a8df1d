"""Export: checkpoint to network to graph to bundle. Runs once and needs torch; the service never imports it."""


class ExportError(Exception):
    """A checkpoint, a photograph or an option cannot become the bundle asked for; the message says what to do."""
