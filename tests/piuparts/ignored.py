"""What piuparts complains of and may: each a path as a regular expression, and the reason."""

IGNORED = []
