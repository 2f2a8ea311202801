"""How stationary points, and what their networks decide, answer to the data."""
