"""Search spaces: files, the connections they admit, and the encoding that samplers work on."""
