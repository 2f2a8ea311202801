"""A landscape at a temperature: thermodynamics and kinetics of its minima and transition states.

The density is p_T(theta) ~ exp(-E(theta) / T). Nothing here samples.
"""
