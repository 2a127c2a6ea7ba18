"""Kong's plugin ai-rate-limiting-advanced, at work: its headers and refusals, its prices, its names.

The plugin's source is closed. Its documentation, schemas and published transcripts say most of what it does; where they
are silent or contradict one another, this program does as is written here, and the reason with it. The compiler of its
configuration (`limiter.config.kong.airla`) keeps to the same list.

Admission
- At `usage == limit` requests are refused, as the documentation blocks "the next request" once a limit "is reached".
  A number that is known beforehand (`requestPrompt`) is refused when it would take the usage above the limit, as in
  rate-limiting-advanced.
- Sliding usage is rounded up to a whole token before it is compared: at most one token stricter, and never a token
  above the limit.
- Entries of `llm_providers` are checked for every request, as the plugin runs before a provider is chosen; what an
  exchange used is booked on the entries of its provider alone. Two entries of one name are two limits,
  of which headers show the tightest.
- With `policies`, prompt, total and cost limits hold an estimate of the prompt while the request runs, and refuse what
  does not fit, as Kong does from 3.14 on. An empty budget admits every request, however long. Cost of policies that are
  kept by model is not estimated. Entries of `llm_providers` estimate nothing: there a request that crosses the limit
  completes, as documented.
- A policy without `match` is a fallback: it applies to requests that no other policy of the instance matches, as its
  schema says. (Another page says that it matches all requests.) A configuration with both kinds is told so.
- With `policies`, `identifier` has no part in keys: without `partition_by` there is one counter for all that matches.
- A path matches itself and all below it. `identifier: path` tells requests of that path from the others, who are kept
  by address.
- A refused request's `requestPrompt` number is charged, but for sliding windows with `disable_penalty`.
- Without the chosen identifier the address stands for it, as in rate-limiting-advanced. `consumer-group` is one counter
  for the group that the instance is attached to.
- A matcher of groups or consumers without `key` takes names as well as ids.
- A month that lacks `month_day` begins its window on its last day. `timezone` is UTC unless given, a week begins on
  Monday.
- A number below zero, or none, counts as 0 (`limiter.lua` says what becomes of other mistakes in functions).

Headers and refusals
- `Limit` and `Remaining` of every limit that was checked, also on refusals, where a limit that refused shows 0.
  What remains is rounded down, and shown as Lua prints numbers.
- `Reset` and `Retry-After` of a limit only where it refused; without a suffix the largest of them. Whole seconds, at
  least 1, and not earlier than the request could pass: for sliding windows that is when enough of them has faded.
- Jitter is a whole number of seconds, the same for all headers of a response.
- `Query-Cost` stands once, whatever the number of windows, and is hidden with the other two.
- Calendar windows are labelled `month` and `week`.
- `error_hide_providers` leaves the rest of the message as it is. With `policies` the message names the provider that
  was asked.
- gRPC clients get HTTP 200 with `grpc-status` 8 (resource exhausted), whatever `error_code` is: they would not see the
  status of another answer.
- A plain `Retry-After` is not sent, as no transcript has one; the tag `ai-limit:retry-after` on the plugin adds it.

Counters
- Without `sync_rate`, `redis` and `cluster` are asked with every request, as with 0. `cluster` is the store of the
  native limits.
- Without `namespace` each instance has one of its own, by its `instance_name` or what it is attached to, so that
  counters outlive a reload and a restart.
  Instances with the same namespace share counters of the same name, window and strategy.
- Costs are exact to a billionth of the unit that prices are in, in every store; `decrease_by_fractions_in_redis` needs
  not be set. Where the declaration has no price for a model, its requests cost nothing, as in Kong; the tag
  `ai-limit:list-prices` takes dollars from the built-in list in place of all of the declaration's prices.
- Keys in Redis are of our own kind: Kong's are not documented.
"""
