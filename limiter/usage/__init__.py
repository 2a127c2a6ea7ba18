"""What an exchange with a provider used: recognising it, forecasting it, and reading it off the response as it passes.

    addresses → providers           which endpoint of which provider a request calls: provider_table, routes, endpoints
    requests (forms, splice) → forecast
                                    what the request says about its own size; its tokens before it is sent
    decoding → framing → reading    encoded bytes → JSON events → counts
    formats → readers               where each wire format keeps its counts, its text and its end: tables
    tap (following, hiding)         all of it behind `feed` and `finish`

A new provider is an entry in `provider_table.PROVIDERS`, a new wire format one in `readers.READERS`.
"""
