"""How Kafka's own code reads, loads and spells these files, release by release: a module for each of its classes."""
