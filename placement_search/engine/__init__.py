"""Runs evaluations; a study asks an engine and never how it does it."""
