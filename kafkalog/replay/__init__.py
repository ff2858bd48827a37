"""What the internal topics say: groups, transactions and the cluster's metadata, replayed from their records."""
