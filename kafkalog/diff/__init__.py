"""Where replicas of a partition differ, and what each would throw away if it followed the other."""
