"""Labelled data: what a user has, read, checked, and made into what a backbone takes."""
