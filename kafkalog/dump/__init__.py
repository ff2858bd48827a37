"""What the real DumpLogSegments prints, release by release."""
