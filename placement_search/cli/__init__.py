"""The command line: each command parses, calls one function, prints, and sets the exit code."""
