"""Figures of a landscape, as `matplotlib.figure.Figure` objects; nothing here touches pyplot's state."""

from symland.figures.completeness import completeness_figure
from symland.figures.disconnectivity import disconnectivity_figure
from symland.figures.embedding import Column, Link, embedding_columns, embedding_figure, map_columns
from symland.figures.levels import level_figure, spectrum_figure
from symland.figures.networks import network_figure
from symland.figures.slices import Slice, slice_figure, take_slice
from symland.figures.style import FORMATS, save_figure

__all__ = [
    "FORMATS",
    "Column",
    "Link",
    "Slice",
    "completeness_figure",
    "disconnectivity_figure",
    "embedding_columns",
    "embedding_figure",
    "level_figure",
    "map_columns",
    "network_figure",
    "save_figure",
    "slice_figure",
    "spectrum_figure",
    "take_slice",
]
