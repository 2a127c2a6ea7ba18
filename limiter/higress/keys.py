"""Keys of the gateway's counters, byte for byte: whoever shares them shares the budgets.

    B  higress-token-ratelimit:RULE:TYPE:SECONDS:NAME:VALUE     higress-token-ratelimit:RULE:global_threshold:SECONDS
    C  the same with {RULE}, which a Redis Cluster takes for the tag that decides about the node

Nothing is escaped. The threshold is not part of it, so changing an amount keeps what was used.
https://github.com/higress-group/higress/tree/main/plugins/wasm-go/extensions/ai-token-ratelimit
"""

from limiter.rules import KeyLayout

PREFIX = "higress-token-ratelimit"


def layout(rule_name: str, kind: str, seconds: int, name: str, *, overlay: bool) -> KeyLayout:
    """Of the counters of one item; the value follows.

    Args:
        kind: `limit_by_header` and so on, or `global_threshold`, which has neither name nor value.
        overlay: generation C.
    """
    rule = f"{{{rule_name}}}" if overlay else rule_name
    head = f"{PREFIX}:{rule}:{kind}:{seconds}"
    return KeyLayout(f"{head}:{name}:" if name else head)
