"""The composition root: what a reload changes, and what it keeps."""

from pathlib import Path

import pytest

from limiter.app import App, Sources, shown
from limiter.config import ConfigError
from limiter.counters import Charge
from limiter.decisions import Admission, Refusal
from limiter.facts import Facts
from limiter.stores.contract import StoreError
from limiter.usage.forecast import Forecast

LIMITS = "limits: [{name: a, amount: 1 request per day}]\n"
FACTS = Facts(provider="openai", model="gpt-4o")


async def measure() -> Forecast:
    return Forecast(1, 1, 1)


def app_of(folder: Path, text: str) -> App:
    (folder / "a.yaml").write_text(text)
    return App(Sources(config=folder / "a.yaml", store="", data=folder / "data"))


@pytest.mark.parametrize("store", ["memory:", ""])
@pytest.mark.parametrize("changed", ["store_timeout: 9", "on_store_error: deny", "rate_limit_headers: false"])
async def test_changed_settings_keep_what_was_counted(store: str, changed: str, tmp_path: Path) -> None:
    settings = f"settings:\n  store: '{store}'\n" if store else "settings:\n  time_zone: UTC\n"
    app = app_of(tmp_path, settings + LIMITS)
    assert isinstance(await app.running.engine.admit(FACTS, measure), Admission)

    (tmp_path / "a.yaml").write_text(f"{settings}  {changed}\n{LIMITS}")
    assert "in force" in app.reload()

    assert isinstance(await app.running.engine.admit(FACTS, measure), Refusal)
    await app.close()


async def test_another_store_is_opened_and_the_old_one_closed_when_it_is_free(tmp_path: Path) -> None:
    app = app_of(tmp_path, LIMITS)
    old = app.running
    running = await old.engine.admit(FACTS, measure)
    assert isinstance(running, Admission)
    (tmp_path / "a.yaml").write_text(f"settings: {{store: 'memory:'}}\n{LIMITS}")
    assert "counters in memory:" in app.reload()

    await app.renew()
    await old.engine.cancel(running)
    await app.renew()

    with pytest.raises(StoreError):
        await old.stores[None].acquire("x", [Charge("k", 1, 1, 1, 1000)])
    assert isinstance(await app.running.engine.admit(FACTS, measure), Admission)
    await app.close()


async def test_an_unchanged_file_is_not_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    app = app_of(tmp_path, LIMITS)
    before = app.running
    assert app.reload() == ""

    (tmp_path / "a.yaml").write_text("limits: 5")
    assert "the old one stays in force:" in app.reload()
    assert app.running is before
    assert app.reload() == "", "said once"
    await app.close()


async def test_doubtful_providers_are_told_with_their_place(tmp_path: Path) -> None:
    app = app_of(tmp_path, LIMITS.replace("a,", "a, match: {provider: antropic},"))

    (warning,) = app.warnings
    assert str(warning).startswith(
        f"{tmp_path / 'a.yaml'}:1: match.provider: found 'antropic', which is no known provider"
    )
    await app.close()


def test_a_missing_configuration_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        App(Sources(config=tmp_path / "none.yaml", store="", data=tmp_path))


def test_options_come_before_the_environment_and_both_before_the_default(tmp_path: Path) -> None:
    environment = {"AI_LIMIT_CONFIG": "e.yaml", "AI_LIMIT_STORE": "memory:", "AI_LIMIT_DATA_DIR": str(tmp_path)}
    default = Path("d.yaml")

    assert Sources.find({}, default).config == default
    assert Sources.find(environment, default) == Sources(Path("e.yaml"), "memory:", tmp_path)
    assert Sources.find(environment, default, "o.yaml", "sqlite:////o").config == Path("o.yaml")


def test_passwords_are_not_shown() -> None:
    assert shown("redis://user:secret@host:6379/0") == "redis://host:6379/0"
    assert shown("redis://host/0?username=me&password=s@cret") == "redis://host/0"
    assert shown("sqlite:////folder/file") == "sqlite:////folder/file"
    assert shown("memory:") == "memory:"
