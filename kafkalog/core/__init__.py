"""The formats: bytes in, values out. No files, clocks, environment or printing in here."""
