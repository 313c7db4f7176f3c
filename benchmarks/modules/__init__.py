"""Every module type in its paper's own placement, side by side on the same tasks."""
