"""One place of a file, byte by byte: each byte belongs to a field that has a name, a value and, where it is wrong, a reason."""
