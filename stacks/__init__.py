"""The cloud programs: what stands in one stack as a table of resources, and the inline program made from it."""
