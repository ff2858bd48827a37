"""The only I/O: opening for reading, through a bounded window."""
