"""Machine code: how arrays enter it. It knows nothing of networks."""
