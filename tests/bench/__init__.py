"""Our figures beside our targets and the peers', in one run: `make bench`.

Nothing here asserts on time: a figure that misses its target says so in the last table, one that
cannot be had says why.
"""
