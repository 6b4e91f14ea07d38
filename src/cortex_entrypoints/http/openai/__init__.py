"""The OpenAI dialect: bodies in, the domain's events out as OpenAI's objects. It has no logic of its own."""
