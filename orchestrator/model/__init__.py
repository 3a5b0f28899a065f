"""The nouns. Everything else is a function between them."""
