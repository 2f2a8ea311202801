"""Proofs about points: refinement to any number of digits, certificates, and a separate checker of them."""
