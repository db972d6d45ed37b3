"""Real Debian machines for the tests: booted in seconds, thrown away after.

`base` makes the Debian trees, `network` the wires, `machine` boots and commands a
machine, `repository` serves our packages to it, `browser` and `hub_client` are the
people who use it, `inventory` says what changed on it.  Needs root.
"""
