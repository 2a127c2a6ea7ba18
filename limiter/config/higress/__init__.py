"""The dialect of Higress and Alibaba Cloud's API gateway: the plugin `ai-token-ratelimit`.

A document is the plugin's configuration as it stands in the console, or a `WasmPlugin` resource. What the gateway says
of a wrong one is said here as well, with the place; what it passes over in silence is an error or a warning.
"""

from limiter.config.higress.dialect import HIGRESS

__all__ = ["HIGRESS"]
