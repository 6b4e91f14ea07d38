"""The Anthropic dialect: bodies in, the domain's events out as Anthropic's objects. It has no logic of its own."""
