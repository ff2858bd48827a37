"""From what was read to the subjects that rules judge."""
