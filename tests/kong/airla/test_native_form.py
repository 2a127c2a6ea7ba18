"""What `adapt` says of instances of ai-rate-limiting-advanced: a nearest form, and in words what it leaves out."""

from limiter.config import dump, parse
from tests.kong.airla.gateway import HEAD

PLUGIN = f"""{HEAD}- name: ai-rate-limiting-advanced
  config:
    identifier: header
    header_name: X-Team
    custom_cost_count_function: return 1
    llm_providers:
    - {{name: gemini, limit: [100], window_size: [60]}}
    - {{name: customCost, limit: [5], window_size: [60]}}
- name: ai-rate-limiting-advanced
  consumer_group: gold
  config:
    policies:
    - match: [{{type: path, values: [/v1]}}, {{type: model, values: ["a*"], partition_by: true}}]
      window_type: calendar
      limits: [{{limit: 1.5, tokens_count_strategy: cost, period: week, week_start_day: sunday}}]
consumer_groups: [{{name: gold}}]
"""
NATIVE = """# kong.all.customCost.minute: left out, as a Lua function says what it counts
# kong.group.gold.policy-1.week.cost, kong.all.gemini.minute: only where no limit before it takes the request
# kong.group.gold.policy-1.week.cost, kong.all.gemini.minute: refuses and tells as Kong's ai-rate-limiting-advanced: \
429 'AI token rate limit exceeded for provider(s): '
# kong.group.gold.policy-1.week.cost, kong.all.gemini.minute: counts in memory:; while that does not answer: local
# kong.group.gold.policy-1.week.cost: costs by the prices of its declaration
# kong.group.gold.policy-1.week.cost: its week begins on day 7
# kong.all.gemini.minute: checked for all requests, of which only these are counted
limits:
  - name: kong.group.gold.policy-1.week.cost
    amount: $1.50 per week
    match:
      group: gold
      path: [/v1, /v1/*]
      model: a[*]
    per: [model]
  - name: kong.all.gemini.minute
    amount: 100 tokens per 60 seconds
    window: sliding
    match:
      provider: [gemini, vertex]
    per: ['header:x-team|ip']
"""


def test_native_form() -> None:
    """With remarks on what it lacks; read again it says the same."""
    printed = dump(parse(PLUGIN, "kong.yaml", {}))
    assert printed == NATIVE

    limits = printed[printed.index("limits:") :]
    assert dump(parse(limits, "native.yaml", {})) == limits
