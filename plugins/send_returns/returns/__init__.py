"""Returns: what inspectors and the board receive, rendered from the warehouse."""
