"""What people see: text tables and views. Values come in, text goes out."""
