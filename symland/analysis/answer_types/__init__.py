"""Options and answers as records: what a question and its computation both need, and so a third file."""
