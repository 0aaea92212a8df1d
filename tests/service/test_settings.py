"""Settings: flag, variable and line of the docs are one thing."""

from pathlib import Path

import pytest

from service.settings import (
    Parser,
    Settings,
    SettingsError,
    add_settings,
    bounds,
    check_environment,
    flag,
    read_settings,
    unit,
    variable,
)

FIELDS = list(Settings.model_fields)
PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
OTHERS = {
    "host": "0.0.0.0",
    "port": "9000",
    "bundle": "elsewhere",
    "backend": "openvino",
    "precision": "bf16",
    "device": "cuda:1",
    "device_fallback": "True",
    "device_memory_mb": "500.0",
    "tf32": "True",
    "decode": "gpu",
    "merging": "graph",
    "threads": "3",
    "workers": "3",
    "max_body_mb": "3.5",
    "max_megapixels": "3.5",
    "max_images": "3",
    "max_queue": "3",
    "max_queue_megapixels": "99.0",
    "max_queue_mb": "99.0",
    "timeout_s": "5.0",
    "head_timeout_s": "5.0",
    "body_timeout_s": "5.0",
    "cache_mb": "5.0",
    "keys": "elsewhere",
    "ageing_s": "3.0",
    "max_batch": "3",
    "drain_s": "3",
    "lame_duck_s": "3.0",
    "engine_timeout_s": "3.0",
    "log_level": "error",
    "log_format": "json",
    "metrics_port": "9090",
}


def parsed(*arguments: str) -> Settings:
    parser = Parser("panoptic-serve", allow_abbrev=False)
    add_settings(parser)
    return read_settings(vars(parser.parse_args(arguments)))


@pytest.mark.parametrize("name", FIELDS)
def test_a_flag_sets_its_field(name: str) -> None:
    assert str(getattr(parsed(flag(name), OTHERS[name]), name)) == OTHERS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_a_variable_sets_its_field(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(name), OTHERS[name])

    assert str(getattr(parsed(), name)) == OTHERS[name]


def test_a_flag_goes_before_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANOPTIC_PORT", "1")

    assert parsed("--port", "2").port == 2


@pytest.mark.parametrize("name", FIELDS)
def test_the_docs_have_the_line_of_every_setting(name: str) -> None:
    field = Settings.model_fields[name]
    default = "the embedded `street`" if name == "bundle" else f"`{field.default}`"
    allowed = ", ".join(part for part in (unit(field), bounds(field)) if part)

    line = f"| `{flag(name)}` | `{variable(name)}` | {default} | {allowed} | {field.description} |"

    assert line in PAGE.read_text(encoding="utf-8")


def test_the_docs_name_no_setting_that_is_not_there() -> None:
    named = [
        line.split("`")[3]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `--")
    ]

    assert named == [variable(name) for name in FIELDS]


@pytest.mark.parametrize(
    ("name", "nearest"), [("PANOPTIC_MAX_QUE", "PANOPTIC_MAX_QUEUE"), ("PANOPTIC_PROT", "PORT")]
)
def test_a_misspelt_variable_is_refused_with_the_nearest_right_one(name: str, nearest: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}, which is no setting; did you mean .*{nearest}"):
        check_environment({name: "1"})


def test_variables_of_others_are_left_alone() -> None:
    check_environment({"PATH": "x", "PANOPTICON": "x"})


def test_the_variables_of_a_kubernetes_service_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANOPTIC_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(SettingsError, match="enableServiceLinks: false"):
        parsed()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-queue", "0"), "--max-queue is '0'.*1 or more"),
        (("--port", "http"), "--port is 'http'"),
        (("--log-level", "loud"), "--log-level is 'loud'.*debug, info, warning, error"),
        (("--max-que", "3"), "no option --max-que; the nearest is --max-queue"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence_that_says_what_is_allowed(
    arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as raised:
        parsed(*arguments)

    assert "\n" not in str(raised.value)


def test_every_field_has_one_sentence() -> None:
    descriptions = [str(Settings.model_fields[name].description) for name in FIELDS]

    assert [each for each in descriptions if not each.endswith(".") or each.count(". ")] == []
