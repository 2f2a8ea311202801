"""Kernels against other libraries, side by side."""
