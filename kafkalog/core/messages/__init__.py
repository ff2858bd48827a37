"""Kafka's own messages inside internal topics: schema tables in one form, and one generic reader for all of them."""
