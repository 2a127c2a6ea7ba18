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
- `window_type` of a policy that is left out, or null, is the instance's own: documented examples set that one only,
  although the schema has it for `llm_providers` alone. A policy that says `sliding` is sliding.
- Of a header that is sent several times the first field counts; hyphens and underscores are the same in its name.
- Names of providers and models are compared as they are written. `partition_by` of providers keeps one counter for all
  that Kong has one name for (`gemini` with Vertex AI). Of groups without `values` the consumer's first by name has the
  counter; with `values` the first of them.
- `protocols` does not tell requests apart: as Kong runs plugins of one subsystem, an instance for gRPC limits plain
  HTTP, too. A configuration that names one family only is told so.
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
- Jitter is a whole number of seconds, the same for all headers of a response; a part of a second in its maximum
  counts as a whole one.
- Any whole number is an `error_code`, as from 3.10 on. One that is no status from 200 to 599 is answered as 429, and
  the start tells so.
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
- Without `namespace` each instance has one of its own, by its `instance_name` or by the kinds and names of what it is
  attached to (`kong.route.chat`), so that counters outlive a reload, a restart and a change of order.
  Instances with the same namespace share counters of the same name, window and strategy.
- Costs are exact to a billionth of the unit that prices are in, in every store, for limits of up to 9,007,199 units;
  to a millionth up to a thousand times as much, to a thousandth above. `decrease_by_fractions_in_redis` needs not be
  set.
- Prices are those of the plugin instance of ai-proxy or ai-proxy-advanced that runs for the request; where it has none
  for the provider, those of any other. A request goes on with the model that the client names, which a gateway would
  not let it choose. So a model that is not declared costs what it is declared as without its date or version
  (`gpt-4o-2024-11-20` as `gpt-4o`, in any case of letters), else what a target without a name says, else what the
  dearest target of its provider would cost.
- A model that is declared without prices costs nothing, as in Kong, and the start names it. The tag
  `ai-limit:list-prices` takes dollars from the built-in list in place of all of the declaration's prices.
- Keys in Redis are of our own kind: Kong's are not documented.
"""
