"""Every tolerance of the searches, with its unit."""

from __future__ import annotations

__all__ = [
    "BAND_IMAGES",
    "BAND_STEPS",
    "BASIN_GRADIENT",
    "DESCENT_STEPS",
    "FARTHEST",
    "FLOW_ERROR",
    "FLOW_GRADIENT",
    "FLOW_STEPS",
    "FOLLOWING_STEPS",
    "GRADIENT_TOLERANCE",
    "NEWTON_STEPS",
    "PATIENCE",
    "PUSHOFF",
    "STEP_LENGTH",
    "TRAJECTORY_FARTHEST",
    "TRAJECTORY_LENGTH",
    "TRAJECTORY_STEPS",
]

GRADIENT_TOLERANCE = 1e-12
"""|grad E|_inf below which a point is stationary; loss per unit of theta."""

BASIN_GRADIENT = 1e-7
"""|grad E|_inf below which a search hands over to Newton's method; loss per unit of theta."""

STEP_LENGTH = 1.0
"""Longest step of a search, in units of theta (weights of an unscaled network)."""

FOLLOWING_STEPS = 150
"""Steps of eigenvector following before a search is given up."""

PATIENCE = 40
"""Steps of eigenvector following without halving the gradient after which a search is given up."""

NEWTON_STEPS = 25
"""Newton steps before a point is filed as stalled."""

FARTHEST = 1e6
"""|theta|_inf beyond which a search has diverged, in units of theta."""

FLOW_ERROR = 1e-4
"""Estimated error of each step of a gradient flow, in units of theta."""

FLOW_GRADIENT = 1e-11
"""|grad E|_inf at which a gradient flow has ended; plateaus of a weakly penalised loss have gradients of 1e-8."""

FLOW_STEPS = 20_000
"""Steps of a gradient flow before a path is given up."""

PUSHOFF = 1e-3
"""Distance from a transition state at which its downhill branches begin, in units of theta."""

BAND_IMAGES = 16
"""Images between the ends of an elastic band."""

BAND_STEPS = 300
"""Steps in which an elastic band relaxes."""

DESCENT_STEPS = 1_000
"""Steps of a gradient flow off a saddle of index 2 or more before it is given up."""

TRAJECTORY_STEPS = 300
"""Steps along which a Newton trajectory is followed."""

TRAJECTORY_LENGTH = 1.5
"""Longest step along a Newton trajectory, in units of theta."""

TRAJECTORY_FARTHEST = 8.0
"""|theta|_inf at which a Newton trajectory has gone far out, in units of 1 + |start|_inf."""
