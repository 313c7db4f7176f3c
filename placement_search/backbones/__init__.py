"""Hugging Face models as residual graphs."""
