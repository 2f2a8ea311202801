"""Geometry of a classifier in the space of its inputs: arrangements, decision regions, gradients, the law of scale."""
