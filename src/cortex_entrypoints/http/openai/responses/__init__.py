"""OpenAI's Responses API: items in, the domain's events out as items, and answers that are kept."""
