"""What Kafka's DumpLogSegments prints, release by release."""
