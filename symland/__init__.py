"""symland: exact loss landscapes of small neural networks."""
