"""The command line with what needs mitmproxy."""

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from addons.cli import FORMATS
from limiter.cli import main
from tests.addons.test_flow_files import chat, written
from tests.metering.recordings import COST

SCRIPT = Path(sys.executable).parent / "ai-limit"


def test_meter_reads_flow_files(tmp_path: Path) -> None:
    """Yesterday's traffic, as mitmdump saved it."""
    path = tmp_path / "yesterday.mitm"
    path.write_bytes(written(chat(), chat()))
    result = CliRunner().invoke(main, ["meter", str(path)], obj=FORMATS)
    rows = [json.loads(line, parse_float=str) for line in result.stdout.splitlines()]

    assert (result.exit_code, result.stderr) == (0, "")
    assert [(row["provider"], row["total_tokens"], row["cost_usd"]) for row in rows] == [("openai", 1100, COST)] * 2


def test_the_installed_command(tmp_path: Path) -> None:
    """The script of the distribution is this command line."""
    path = tmp_path / "yesterday.mitm"
    path.write_bytes(written(chat()))
    good = subprocess.run([SCRIPT, "meter", "--total", path], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1].split() == ["all", "1", "1,000", "0", "100", "1,100", "$0.00021"]


def test_help_waits_for_nothing() -> None:
    """mitmproxy takes a second to import."""
    code = "import addons.cli, sys; print({'yaml', 'pydantic', 'mitmproxy', 'genai_prices'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"
