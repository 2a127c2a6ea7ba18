"""Conditions of Kong's plugins: an expression in CEL that says for which requests an instance runs.

What is documented of the language from Kong 3.15 on is all there: its types, operators, functions and macros.
https://developer.konghq.com/gateway/plugins/conditions/ and https://github.com/google/cel-spec/blob/master/doc/langdef.md

Where the documentation is silent, or this program is not in the place to do the same:

- The scope decides first which instance of a plugin a request is for. Where its condition is not met, none runs: no
  other instance takes its place.
- An expression that fails for a request (a prefix of a header that is absent, say) counts as met, so that the limits
  apply, where Kong answers 500. `default(…, false)` decides otherwise, as in Kong.
- What fails for every request is an error of the configuration: a name, type or regular expression that is wrong.
- Fields that other plugins or the listening socket would have to tell are errors as well, see `fields.UNKNOWN`.
- A side of `&&` and `||` that decides counts though the other one fails, as CEL defines. `all` and `exists` alike.
- Regular expressions are RE2's, and have to be written out: none are taken from a request.
- An expression that takes too long (`values.STEPS`) counts as met, whatever `default` says.
- A query parameter without `=` is the empty text.
- The conditions of Kong 3.14, a beta in another language, are errors that say how to write them now.
"""
