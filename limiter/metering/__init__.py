"""What recorded traffic used and cost: the same tap, estimates and prices as live traffic, fed from files.

formats (lines, har)    files → recordings, and what of a file could not be read
recording               one exchange as it was recorded
meter                   recording → what it used and cost
rows, totals            that as JSON lines, or summed up as a table
"""
