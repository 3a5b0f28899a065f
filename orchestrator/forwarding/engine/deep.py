"""Questions about graphs that lead to the same question about what is below, thousands of nodes deep.

Python's own stack ends at a thousand calls. Here a question is a generator that yields what it has to know first and is
sent each answer; open questions stand in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
Asking = Generator[Key, Value, Value]


def answered(key: Key, ask: Callable[[Key], Asking[Key, Value]]) -> Value:
    """The answer to a question; `ask` begins one, which yields keys, is sent their answers, and returns its own."""
    open_now = [ask(key)]
    answer: Any = None  # a generator is begun by sending None
    while True:
        try:
            open_now.append(ask(open_now[-1].send(answer)))
            answer = None
        except StopIteration as done:
            open_now.pop()
            answer = done.value
            if not open_now:
                found: Value = answer
                return found
