"""What can be drawn of a partition: brought together in Python, so that no picture has more marks than an eye can tell apart.

`overview.overview_of(partition.segments, now)` reads the headers of all batches once and gives an `Overview`: segments,
stretches of one leader epoch, gaps, damage, transactions, index coverage, sizes and times along the log, throughput, the range
of a time axis that one wrong clock does not spoil, and the timestamps that are outside. `columns.Columns` and
`times.TimeColumns` do the same for any other numbers.
"""
