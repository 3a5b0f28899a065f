"""One folder per vendor: model to configuration text and back; text only, no sockets."""
