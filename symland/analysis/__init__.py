"""One module for each question asked of a landscape: embedding, escape, pruning."""
