"""Families of landscapes over a parameter: branches of stationary points, the events between them, and their proofs."""
