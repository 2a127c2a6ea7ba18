"""User functions in Lua: number of a request's prompt, cost of an exchange.

`function` is what a configuration holds, `request` what a function may read, `outcomes` what comes of a call. `counter`
runs functions in worker processes (`process`, `worker`), where `sandbox` and the Lua files beside it hold them. The
functions see Kong's PDK as far as it makes sense here; what Kong has and is not here raises an error that names it.
"""
