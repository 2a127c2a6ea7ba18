"""What all tests share."""

import os

from hypothesis import settings

# In CI the same examples run every time, so that a change is judged by what it changed; everywhere else they are new.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
