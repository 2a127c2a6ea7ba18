"""What an exchange with a provider used: recognising it, forecasting it, and reading it off the response as it passes.

    routes → providers            which endpoint of which provider a request calls
    requests → forecast           what the request says about its own size, in tokens before it is sent
    decoding → framing → reading  bytes → JSON events → counts; `readers` says where each provider keeps them
    tap                           the three above behind `feed` and `finish`

Adding a provider is an entry in `providers.PROVIDERS`; a new wire format is an entry in `readers.READERS`.
"""
