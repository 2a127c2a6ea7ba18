"""The command `ai-limit`. Heavy imports wait until a command needs them: `--help` answers at once."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from limiter.config import Configuration

STDIN = "-"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ai-limit", prog_name="ai-limit")
def main() -> None:
    """Cap what LLM traffic may spend."""


@main.command(short_help="Tell whether a configuration is right.")
@click.argument("source", metavar="FILE")
def check(source: str) -> None:
    """Tell whether FILE is a right configuration: a file, a folder of files, or - for standard input.

    Warnings and problems go to standard error as file:line: field: message. Exit status 1 if there is a problem.

    \b
    Example:
      ai-limit check ai-limit.yaml
      ai-limit.yaml: ok, 2 limits
    """
    configuration = _loaded(source)
    count = sum(len(rule.limits) for rule in configuration.policy.rules)
    click.echo(f"{_shown(source)}: ok, {count} limit{'' if count == 1 else 's'}")


@main.command(short_help="Print a configuration in the native dialect.")
@click.argument("source", metavar="FILE")
def adapt(source: str) -> None:
    """Print FILE in the native dialect: a file, a folder of files, or - for standard input.

    What could not be carried over goes to standard error as file:line: field: message. Exit status 1 if there is a
    problem.

    \b
    Example:
      ai-limit adapt team.yaml > native.yaml
    """
    from limiter.config import dump  # noqa: PLC0415 slow to import

    click.echo(dump(_loaded(source)), nl=False)


def _loaded(source: str) -> "Configuration":
    """The configuration, its warnings told; or the end of the program, its problems told."""
    from limiter.config import ConfigError, decode, load, parse  # noqa: PLC0415 slow to import

    try:
        if source == STDIN:
            name = _shown(source)
            configuration = parse(decode(sys.stdin.buffer.read(), name), name)
        else:
            configuration = load(Path(source))
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    for warning in configuration.warnings:
        click.echo(warning.tell("warning"), err=True)
    return configuration


def _shown(source: str) -> str:
    return "<stdin>" if source == STDIN else source
