"""Imports the host once with its own warnings off: they are not ours, and ours are errors."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mitmproxy.addons
    import mitmproxy.test.tflow

__all__ = ["mitmproxy"]
