"""Samplers of exp(-E / T): tempered sequential Monte Carlo and replica exchange, with Hamiltonian moves."""
