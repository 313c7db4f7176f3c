"""One layout to one score card."""
