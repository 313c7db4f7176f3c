"""A study as tables, sentences and pictures: Markdown, CSV, JSON and one HTML page."""
