"""Tests; none of them asks the internet."""

import os

# Before any library is imported: a name of the hub that is no folder would be waited for, some twenty seconds each.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
