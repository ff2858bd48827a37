"""What is sound of damaged logs, written as new directories that a broker serves."""
