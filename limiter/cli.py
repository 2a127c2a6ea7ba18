"""The command `ai-limit`. Heavy imports wait until a command needs them: `--help` answers at once."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from limiter.config import Configuration
    from limiter.metering.formats import Format
    from limiter.metering.meter import Metered
    from limiter.metering.recording import Damaged, Recording

STDIN = "-"
LONG = 4 * 1024 * 1024
"""Bytes of input from which on progress is shown."""


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


@main.command(short_help="Tell what recorded traffic used and cost.")
@click.argument("sources", metavar="FILE...", nargs=-1, required=True)
@click.option("--total", is_flag=True, help="Print a table by provider and model instead.")
@click.option("--config", metavar="FILE", help="Take prices, models and providers from this configuration.")
@click.option("--estimates/--no-estimates", default=True, help="Charge for what did not report its usage (default).")
@click.pass_obj
def meter(
    more: "Sequence[Format] | None", sources: tuple[str, ...], total: bool, config: str | None, estimates: bool
) -> None:
    """Tell what the exchanges recorded in each FILE used and cost, as they would be charged by the proxy.

    FILE is a mitmproxy flow file, a HAR archive, or JSON lines with "request" and "response"; plain or compressed with
    gzip; - is standard input. Which of these it is shows by its content.

    One JSON object a line comes out for each exchange: id, provider, model, streaming, prompt_tokens,
    completion_tokens, total_tokens, cached_tokens, cache_creation_tokens, reasoning_tokens, cost_usd, price_source,
    price_name, endpoint, estimated, and problem where something is missing or damaged. Tokens are what the provider
    reported, null where it reported none. A cost that stands on an estimate is marked, its tokens are in
    estimated_tokens. Errors, free endpoints and repeated polls of the same work cost 0 (price_source "unbilled"). The
    cost is null where nothing is known: another host, a damaged line, no usage under --no-estimates.

    \b
    Examples:
      ai-limit meter yesterday.mitm
      ai-limit meter --total browser.har 'recorded/*.jsonl.gz'
      ai-limit meter --config ai-limit.yaml yesterday.mitm | jq -s 'map(.cost_usd) | add'

    mitmdump -w yesterday.mitm records traffic; for what it streams, --set store_streamed_bodies=true keeps the bodies.
    """
    from limiter.metering.rows import row  # noqa: PLC0415 slow to import, as below
    from limiter.metering.totals import Totals  # noqa: PLC0415

    measure = _meter(config, estimates=estimates)
    totals = Totals()
    count = problems = 0
    for item in _recorded(sources, more or (), bar=total or not sys.stdout.isatty()):
        metered = measure(item)
        count += 1
        problems += bool(metered.problem)
        if total:
            totals.add(metered)
        else:
            click.echo(row(metered))
    if total:
        click.echo(totals.table())
    if problems:
        of = f"{count} exchange{'' if count == 1 else 's'}"
        click.echo(f"{of}, {problems} incomplete or damaged{'' if total else ': see problem'}", err=True)


def _meter(config: str | None, *, estimates: bool) -> "Callable[[Recording | Damaged], Metered]":
    from limiter.metering.meter import Meter  # noqa: PLC0415 slow to import, as below
    from limiter.prices import Prices  # noqa: PLC0415
    from limiter.settings import Settings  # noqa: PLC0415
    from limiter.usage.providers import Directory  # noqa: PLC0415

    settings = Settings() if config is None else _configuration(config).settings
    try:
        directory = Directory(settings.providers)
    except ValueError as error:
        _end(f"{config}: settings.providers: {error}")
    prices = Prices(settings.prices, settings.on_unknown_price, settings.models)
    return Meter(prices, directory, estimates=estimates).measure


def _recorded(sources: Sequence[str], more: "Sequence[Format]", *, bar: bool) -> "Iterator[Recording | Damaged]":
    """Every exchange of every source, under a progress bar on a terminal. All must be readable before one is read."""
    from limiter.metering.formats import Recordings, UnreadableError  # noqa: PLC0415 slow to import

    try:
        for source in sources:
            if source != STDIN:
                with Recordings(source, more):
                    pass
        length = sum(Path(source).stat().st_size for source in sources if source != STDIN)
        shown = bar and length >= LONG and STDIN not in sources and sys.stderr.isatty()
        with click.progressbar(length=length, file=sys.stderr, hidden=not shown) as progress:
            for source in sources:
                with Recordings(source, more) as recordings:
                    before = 0
                    for item in recordings:
                        yield item
                        progress.update(recordings.position() - before)
                        before = recordings.position()
    except UnreadableError as error:
        _end(str(error))


def _end(problem: str) -> NoReturn:
    click.echo(problem, err=True)
    raise SystemExit(1)


def _configuration(source: str) -> "Configuration":
    """The configuration; or the end of the program, its problems told."""
    from limiter.config import ConfigError, decode, load, parse  # noqa: PLC0415 slow to import

    try:
        if source == STDIN:
            name = _shown(source)
            configuration = parse(decode(sys.stdin.buffer.read(), name), name)
        else:
            configuration = load(Path(source))
    except ConfigError as error:
        _end(str(error))
    return configuration


def _loaded(source: str) -> "Configuration":
    """As `_configuration`, its warnings told."""
    configuration = _configuration(source)
    for warning in configuration.warnings:
        click.echo(warning.tell("warning"), err=True)
    return configuration


def _shown(source: str) -> str:
    return "<stdin>" if source == STDIN else source
