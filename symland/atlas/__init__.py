"""The atlas: landscapes as one HTML file that opens from disk and asks nothing of a network."""

from symland.atlas.write import write_atlas

__all__ = ["write_atlas"]
