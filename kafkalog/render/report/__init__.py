"""A verify report as one page of HTML, which can be mailed, printed and read without a network."""
