"""The command line."""

import gzip
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from limiter.cli import main
from tests.metering.recordings import COST, entry, exchange, har, jsonl

SCRIPT = Path(sys.executable).parent / "ai-limit"
GOOD = "limits:\n  - name: a\n    amount: 200k tokens / 2h\n"
ODD = GOOD + "    mode: warn\n    status: 429\n"
BAD = "limits:\n  - name: a\n    amount: five per day\n  - nam: b\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few configurations."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"good.yaml": GOOD, "odd.yaml": ODD, "bad.yaml": BAD}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(*arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    result = CliRunner().invoke(main, arguments, input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_check_of_a_right_file(folder: Path) -> None:
    """One line, and nothing on standard error."""
    assert run("check", "good.yaml") == (0, "good.yaml: ok, 1 limit\n", "")


def test_check_tells_warnings(folder: Path) -> None:
    """They do not make a configuration wrong."""
    status, out, err = run("check", "odd.yaml")

    assert (status, out) == (0, "odd.yaml: ok, 1 limit\n")
    assert err == "odd.yaml:5: warning: limits[0].status: has no effect, as a limit in mode warn refuses nothing\n"


@pytest.mark.parametrize("command", ["check", "adapt"])
def test_problems_have_a_line_each(folder: Path, command: str) -> None:
    """On standard error, with exit status 1."""
    status, out, err = run(command, "bad.yaml")

    assert (status, out) == (1, "")
    assert [line.split(": ")[:2] for line in err.splitlines()] == [
        ["bad.yaml:3", "limits[0].amount"],
        ["bad.yaml:4", "limits[1].amount"],
        ["bad.yaml:4", "limits[1].nam"],
        ["bad.yaml:4", "limits[1].name"],
    ]


def test_check_of_a_folder(folder: Path) -> None:
    """All its files are one configuration."""
    (folder / "bad.yaml").unlink()
    (folder / "odd.yaml").write_text("limits:\n  - {name: b, amount: $1 per day}\n")

    assert run("check", ".") == (0, ".: ok, 2 limits\n", "")


def test_check_of_what_is_not_there(folder: Path) -> None:
    """A missing file is a problem like others."""
    assert run("check", "none.yaml") == (1, "", "none.yaml: cannot be read: No such file or directory\n")


def test_adapt_prints_the_native_form(folder: Path) -> None:
    """Warnings do not mix with it."""
    status, out, err = run("adapt", "odd.yaml")

    assert (status, out) == (
        0,
        GOOD.replace("200k tokens / 2h", "200,000 tokens per 2 hours") + "    mode: warn\n    status: 429\n",
    )
    assert err.startswith("odd.yaml:5: warning: ")


@pytest.mark.parametrize("command", ["check", "adapt"])
def test_standard_input(command: str) -> None:
    """`-` stands for it."""
    assert run(command, "-", stdin=GOOD)[0] == 0
    assert run(command, "-", stdin=BAD)[2].startswith("<stdin>:3: limits[0].amount: ")
    assert run(command, "-", stdin=b"\xff") == (1, "", "<stdin>:1: found the byte 0xff, expected UTF-8\n")


def test_version() -> None:
    """That of the distribution."""
    assert run("--version") == (0, f"ai-limit, version {version('ai-limit')}\n", "")


@pytest.mark.parametrize("command", ["check", "adapt", "meter"])
def test_help_has_an_example(command: str) -> None:
    """Each command shows how it is called."""
    status, out, _ = run(command, "--help")

    assert status == 0
    assert f"  ai-limit {command} " in out


def test_the_installed_command(folder: Path) -> None:
    """The script of the distribution is this command line."""
    good = subprocess.run([SCRIPT, "check", "good.yaml"], capture_output=True, text=True, check=False)
    bad = subprocess.run([SCRIPT, "check", "bad.yaml"], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stdout, good.stderr) == (0, "good.yaml: ok, 1 limit\n", "")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (1, "", 4)


def test_help_waits_for_nothing() -> None:
    """Neither the configuration's parser nor its validator is imported before a command needs it."""
    code = "import limiter.cli, sys; print({'yaml', 'pydantic', 'mitmproxy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"


@pytest.fixture(name="recorded")
def _recorded(folder: Path) -> Path:
    """A recording of one exchange that reports its usage and one that does not, and a damaged line."""
    (folder / "day.jsonl").write_bytes(jsonl(exchange(), exchange({"choices": []}, id="two"), b"{"))
    return folder


def rows(*arguments: str, stdin: bytes = b"") -> list[dict[str, Any]]:
    """What `meter` prints, numbers with a point as texts."""
    status, out, _ = run("meter", *arguments, stdin=stdin)
    assert status == 0
    return [json.loads(line, parse_float=str) for line in out.splitlines()]


def test_meter_tells_what_was_used_and_what_it_cost(recorded: Path) -> None:
    """One line for every exchange, damaged ones included."""
    reported, estimated, damaged = rows("day.jsonl")

    assert (reported["id"], reported["total_tokens"], reported["cost_usd"]) == ("one", 1100, COST)
    assert (estimated["total_tokens"], estimated["estimated"]) == (None, True)
    assert estimated["cost_usd"] is not None
    assert (damaged["id"], damaged["provider"]) == ("day.jsonl:3", None)
    assert damaged["problem"].startswith("no JSON: ")


def test_meter_tells_how_much_is_damaged(recorded: Path) -> None:
    """On standard error; it is no failure."""
    assert run("meter", "day.jsonl")[::2] == (0, "3 exchanges, 1 incomplete or damaged: see problem\n")


def test_meter_without_estimates(recorded: Path) -> None:
    """What did not report its usage has no cost."""
    assert [row["cost_usd"] for row in rows("--no-estimates", "day.jsonl")] == [COST, None, None]


def test_meter_sums_up(recorded: Path) -> None:
    """By provider and model, over all files."""
    status, out, err = run("meter", "--total", "--no-estimates", "day.jsonl", "day.jsonl")

    assert status == 0
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["provider", "model", "requests", "prompt", "cached", "completion", "total", "cost"],
        ["openai", "gpt-4o-mini-2024-07-18", "2", "2,000", "0", "200", "2,200", "$0.00042"],
    ]
    assert err == "6 exchanges, 2 incomplete or damaged\n"


def test_meter_takes_prices_and_hosts_from_a_configuration(recorded: Path) -> None:
    """A configuration without limits will do."""
    (recorded / "prices.yaml").write_text(
        "settings:\n"
        "  providers: [{host: llm.example, provider: azure}]\n"
        "  models: {prod-*: priced}\n"
        "  prices: [{model: priced, input: $1, output: $2}]\n"
    )
    url = "https://llm.example/openai/deployments/prod-eu/chat/completions"
    (row,) = rows("--config", "prices.yaml", "-", stdin=jsonl(exchange(url=url)))

    assert (row["provider"], row["cost_usd"], row["price_source"]) == ("azure", "0.0012", "override")
    assert row["model"] == "gpt-4o-mini-2024-07-18"


def test_meter_of_archives(folder: Path) -> None:
    """As browsers save them, packed or not."""
    (folder / "day.har").write_bytes(gzip.compress(har(entry(), entry(status=500))))

    assert [row["cost_usd"] for row in rows("day.har")] == [COST, 0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["none.jsonl"], "none.jsonl: cannot be read: No such file or directory\n"),
        (["day.jsonl", "good.yaml"], "good.yaml:1: found no recorded exchanges, expected one of HAR, JSON lines\n"),
        (["--config", "bad.yaml", "day.jsonl"], "bad.yaml:3: limits[0].amount: "),
        (["--config", "host.yaml", "day.jsonl"], "host.yaml: settings.providers: unknown provider 'nobody', expected"),
    ],
)
def test_meter_of_what_cannot_be_read(recorded: Path, arguments: list[str], problem: str) -> None:
    """Nothing is printed but the problem, whichever file has it."""
    (recorded / "host.yaml").write_text("settings:\n  providers: [{host: a, provider: nobody}]\n")
    status, out, err = run("meter", *arguments)

    assert (status, out) == (1, "")
    assert err.startswith(problem)


def test_meter_shows_progress_on_a_terminal(recorded: Path) -> None:
    """And only there, and only where it takes a while."""
    (recorded / "long.jsonl").write_bytes(jsonl(*[exchange({"padding": "x" * 100_000}) for _ in range(50)]))
    command = [SCRIPT, "meter", "--total", "long.jsonl"]
    parent, child = os.openpty()
    with subprocess.Popen(command, stderr=child, stdout=subprocess.PIPE) as process:
        os.close(child)
        assert process.stdout is not None
        process.stdout.read()
        shown = os.read(parent, 100_000)
    os.close(parent)

    assert b"100%" in shown
    assert run("meter", "--total", "long.jsonl")[2] == ""
