"""What happened when: the events of logs, log dirs and the cluster's metadata in one row, each with the clock that tells it."""
