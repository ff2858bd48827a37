"""What people and programs read: text, JSON lines; the only place for rich."""
