"""Text, JSON lines and tables made of what the layers to the left found."""
