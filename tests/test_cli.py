"""The command line."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from limiter.cli import main

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


@pytest.mark.parametrize("command", ["check", "adapt"])
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
