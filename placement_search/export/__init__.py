"""Trained layouts as files: written, described by a schema, read back and verified."""
