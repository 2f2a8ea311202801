"""What SymPy knows: activations, losses, derivatives, symmetry groups and theorem records."""
