"""What is in a directory, at a glance: its partitions, its segments and whose it is, from the ends of the files by default."""
