"""The table of sums."""

from limiter.metering.meter import Metered
from limiter.metering.totals import Totals
from limiter.meters import Usage
from limiter.prices import Priced


def metered(model: str, cost: int | None, *, estimated: bool = False, provider: str = "openai") -> Metered:
    usage = Usage(prompt_tokens=1000, completion_tokens=10, total_tokens=1010, cached_tokens=5, estimated=estimated)
    priced = None if cost is None else Priced(cost, "genai-prices", "")
    return Metered(id="a", provider=provider, model=model, charged=None if cost is None else usage, priced=priced)


def test_sums_by_provider_and_model() -> None:
    """The dearest first, all of them last; other hosts are left out."""
    totals = Totals()
    for item in (
        metered("small", 1_000),
        metered("big", 2_000_000_000),
        metered("big", 500_000_000, estimated=True),
        metered("", None),
        metered("x", 5, provider=""),
    ):
        totals.add(item)

    assert totals.table().splitlines() == [
        "provider  model  requests  prompt  cached  completion  total       cost",
        "openai    big           2   2,000      10          20  2,020    $2.5000",
        "openai    small         1   1,000       5          10  1,010  $0.000001",
        "openai    -             1       0       0           0      0         $0",
        "all                     4   3,000      15          30  3,030    $2.5000",
        "1 of these requests did not report their usage: estimated",
        "1 of these requests did not report their usage: not counted",
    ]


def test_nothing() -> None:
    """Is a table too."""
    assert Totals().table().splitlines()[-1].split() == ["all", "0", "0", "0", "0", "0", "$0"]
