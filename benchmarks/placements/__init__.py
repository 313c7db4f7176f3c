"""A tabular benchmark of placements: how single connections and small sets of them score."""
