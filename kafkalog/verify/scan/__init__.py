"""From the bytes of a segment to what verify knows of it: frozen results, no rule."""
