"""What the question `follow` computes with: what is followed, the diagram certified, and the answer's records."""
