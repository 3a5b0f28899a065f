"""Huawei VRP: configuration text, its command grammar, and the lines between two configurations."""
