"""Settings: one class is flag, environment variable and line of docs/configuration.md."""

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "PANOPTIC_"
EMBEDDED_BUNDLE = Path(__file__).parent / "bundles" / "street"


class SettingsError(Exception):
    """A setting is unknown or has no allowed value; the message is one sentence for people."""


class Settings(BaseSettings):
    """How the service runs. The unit of a number stands in its name or its `unit`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 takes callers from outside.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port for /metrics alone, away from callers; 0 serves it beside all else.",
    )
    bundle: Path = Field(
        EMBEDDED_BUNDLE, description="Directory of the model; the embedded street model by default."
    )
    backend: Literal["auto", "onnxruntime", "openvino", "tensorrt"] = Field(
        "auto", description="Runtime of the model; auto measures those installed and takes the quickest."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8", "fp8"] = Field(
        "auto",
        description="Number format of the model's products; auto takes the quickest that passes the self-test.",
    )
    device: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda(:\d{1,2})?)$",
        description="Where the model runs: cpu, cuda, or cuda:N for the GPU of that number.",
    )
    device_fallback: bool = Field(
        False,
        description="Whether the processor stands in for a GPU that cannot be used; else that is an error.",
    )
    device_memory_mb: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Memory of the GPU that the engine may take beside its weights; 0 takes what is free.",
        json_schema_extra={"unit": "MB"},
    )
    tf32: bool = Field(
        False,
        description="Whether a GPU may round products of fp32 to 19 bits, which is faster and less exact.",
    )
    decode: Literal["cpu", "gpu"] = Field(
        "cpu",
        description="Where JPEG is decoded that need not be reduced; what a GPU cannot, the processor does.",
    )
    merging: Literal["host", "graph"] = Field(
        "host",
        description="Where segments are made: host, of the network's heads; graph, in the graph where a photograph has "
        "the bucket's own size.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of the engine; 0 takes one for each core the process may use.",
        json_schema_extra={"unit": "threads"},
    )
    workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads that decode, merge and encode photographs, and give them to a processor's engine; "
        "0 takes one for each core.",
        json_schema_extra={"unit": "threads"},
    )
    max_body_mb: float = Field(
        20, gt=0, le=1000, description="Largest body of a request.", json_schema_extra={"unit": "MB"}
    )
    max_megapixels: float = Field(
        40,
        ge=0.01,
        le=1000,
        description="Largest photograph, checked before it is decoded.",
        json_schema_extra={"unit": "megapixels"},
    )
    max_images: int = Field(
        16,
        ge=1,
        le=1000,
        description="Photographs in one request; each counts in the queue.",
        json_schema_extra={"unit": "images"},
    )
    max_queue: int = Field(
        64,
        ge=1,
        le=100_000,
        description="Photographs accepted and not yet answered; above it callers get 429.",
        json_schema_extra={"unit": "images"},
    )
    max_queue_megapixels: float = Field(
        640,
        gt=0,
        le=1_000_000,
        description="Photographs that wait for the engine, all together; one alone always may.",
        json_schema_extra={"unit": "megapixels"},
    )
    max_queue_mb: float = Field(
        256,
        gt=0,
        le=1_000_000,
        description="Bodies of accepted requests, all together; above it callers get 429, one alone always may.",
        json_schema_extra={"unit": "MB"},
    )
    timeout_s: float = Field(
        60,
        gt=0,
        le=3600,
        description="Time a photograph has to be answered; callers may ask for less by X-Request-Timeout-Ms.",
        json_schema_extra={"unit": "s"},
    )
    head_timeout_s: float = Field(
        10,
        gt=0,
        le=3600,
        description="Time a request's headers have to come; also that of a new connection to begin.",
        json_schema_extra={"unit": "s"},
    )
    body_timeout_s: float = Field(
        30,
        gt=0,
        le=3600,
        description="Time a request's body has to come, from its headers; then the connection is closed with 408.",
        json_schema_extra={"unit": "s"},
    )
    ageing_s: float = Field(
        10,
        ge=0,
        le=3600,
        description="After so long a photograph of priority batch leaves like an interactive one.",
        json_schema_extra={"unit": "s"},
    )
    max_batch: int = Field(
        8,
        ge=1,
        le=1024,
        description="Photographs that the engine runs together at most; the bundle's batch sizes count too.",
        json_schema_extra={"unit": "images"},
    )
    cache_mb: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Memory for what the network said of the latest photographs; 0 keeps nothing.",
        json_schema_extra={"unit": "MB"},
    )
    keys: Path | None = Field(
        None, description="File of the keys that callers must have; without it anyone may ask."
    )
    drain_s: int = Field(
        30,
        ge=1,
        le=3600,
        description="Time that accepted photographs have to be answered once the server takes no more.",
        json_schema_extra={"unit": "s"},
    )
    lame_duck_s: float = Field(
        5,
        ge=0,
        le=3600,
        description="Time in which the server still serves after SIGTERM, but is not ready any more, so that balancers "
        "look elsewhere; Ctrl-C leaves it out.",
        json_schema_extra={"unit": "s"},
    )
    engine_timeout_s: float = Field(
        120,
        ge=0.1,
        le=3600,
        description="Time that one batch may take; an engine that takes longer hangs, and the process ends with 3.",
        json_schema_extra={"unit": "s"},
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged; info logs every request but those of probes."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Lines for people, or one JSON object a line for machines."
    )

    @property
    def max_body_bytes(self) -> int:
        """`max_body_mb` in bytes."""
        return int(self.max_body_mb * 1_000_000)

    @property
    def max_queue_bytes(self) -> int:
        """`max_queue_mb` in bytes."""
        return int(self.max_queue_mb * 1_000_000)

    @property
    def cache_bytes(self) -> int:
        """`cache_mb` in bytes."""
        return int(self.cache_mb * 1_000_000)

    @property
    def max_queue_pixels(self) -> int:
        """`max_queue_megapixels` in pixels."""
        return int(self.max_queue_megapixels * 1_000_000)

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels."""
        return int(self.max_megapixels * 1_000_000)


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are `SettingsError`, one sentence each."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; an unknown option is told before what else is missing."""
        given = [str(each).partition("=")[0] for each in (sys.argv[1:] if args is None else args)]
        for option in given[: given.index("--")] if "--" in given else given:
            if option.startswith("--") and option not in self._option_string_actions:
                nearest = difflib.get_close_matches(option, self._option_string_actions, n=1)
                self.error(
                    f"there is no option {option}" + (f"; the nearest is {nearest[0]}" if nearest else "")
                )
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise SettingsError(f"{message[:1].upper()}{message[1:].rstrip('.')}. See `{self.prog} --help`.")


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str] = ()) -> None:
    """Give a parser a flag for each setting, or for those named."""
    for name, field in Settings.model_fields.items():
        if not names or name in names:
            parser.add_argument(
                flag(name), dest=name, metavar=_metavar(name, field), default=None, help=_help(name, field)
            )


def read_settings(given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from flags first, then PANOPTIC_* variables, then defaults.

    Args:
        given: values by field name; None was not given.
        environment: where variables are checked; the process's by default.

    Raises: SettingsError: a variable is unknown, or a value not allowed.
    """
    check_environment(os.environ if environment is None else environment)
    values = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, values)) from error


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse PANOPTIC_* variables that no setting has.

    Raises: SettingsError: naming the nearest right one.
    """
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1)
        advice = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(known))}."
        raise SettingsError(f"The environment has {name}, which is no setting; {advice}{_kubernetes(name)}")


def flag(name: str) -> str:
    """The flag of a field."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def bounds(field: FieldInfo) -> str:
    """What a field's values may be, for people; empty where anything goes."""
    words = {"ge": "{} or more", "gt": "more than {}", "le": "up to {}"}
    limits = [
        (word, getattr(limit, word)) for limit in field.metadata for word in words if hasattr(limit, word)
    ]
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return ", ".join(choices) or ", ".join(words[word].format(value) for word, value in limits)


def unit(field: FieldInfo) -> str:
    """The unit of a field; empty where it has none."""
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) and "unit" in extra else ""


def _metavar(name: str, field: FieldInfo) -> str:
    return (unit(field) or name.rsplit("_", maxsplit=1)[-1]).upper()


def _help(name: str, field: FieldInfo) -> str:
    default = "embedded" if field.default == EMBEDDED_BUNDLE else field.default
    allowed = f"; {bounds(field)}" if bounds(field) else ""
    return f"{field.description} [{variable(name)}; default {default}{allowed}]".replace("%", "%%")


def _explain(error: ValidationError, given: Mapping[str, Any]) -> str:
    """The first mistake, in one sentence."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    where = flag(name) if name in given else variable(name)
    field = Settings.model_fields[name]
    hint = _kubernetes(variable(name)) if str(first["input"]).startswith("tcp://") else ""
    allowed = f" It must be {bounds(field)}." if bounds(field) else ""
    return f"{where} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}.{allowed}{hint}"


def _kubernetes(name: str) -> str:
    """Kubernetes writes variables for a Service called panoptic into every pod."""
    if not name.upper().startswith((PREFIX + "PORT", PREFIX + "SERVICE")):
        return ""
    return " Kubernetes writes such variables for a Service named panoptic: set `enableServiceLinks: false`."
