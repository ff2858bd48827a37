"""What a broker's next start would do with a directory: log loading, step by step, on a view that is never written."""
