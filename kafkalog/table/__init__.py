"""Logs as tables: columns declared once, given as rows, as Arrow, or written to files."""
