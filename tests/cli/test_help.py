"""Whoever is lost gets help: every verb says what it does and shows a call that can be copied."""

import re

import pytest

from orchestrator import __version__
from orchestrator.cli.group import VERBS
from tests.cli.calls import Onefold

LAB_VERBS = ("prepare", "up", "status", "test", "down", "reset")


def test_the_first_help_names_every_verb_and_every_exit_code(onefold: Onefold) -> None:
    said = onefold("--help")
    assert said.code == 0
    assert said.err == ""
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\S", said.out, re.M), verb
    codes = said.out[said.out.index("Exit codes:") :]
    assert [int(number) for number in re.findall(r"\b([0-5]) [a-z]", codes)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example(verb: str, onefold: Onefold) -> None:
    said = onefold(verb, "--help")
    assert said.code == 0
    examples = re.findall(rf"^  Example: onefold .*\b{verb}\b.*$", said.out, re.M)
    assert len(examples) == 1, said.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_in_an_example_exists(verb: str, onefold: Onefold) -> None:
    said = onefold(verb, "--help")
    example = said.out[said.out.index("Example:") :]
    for word in re.findall(r"(?<!\S)--[a-z-]+", example):
        known = said.out[: said.out.index("Example:")] + onefold("--help").out
        assert word in known, word


@pytest.mark.parametrize("verb", LAB_VERBS)
def test_every_verb_of_the_lab_says_what_it_does(verb: str, onefold: Onefold) -> None:
    said = onefold("lab", verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: onefold lab {verb} ")


def test_the_version_is_the_package_s(onefold: Onefold) -> None:
    assert onefold("--version").out == f"onefold, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nope",), "No such command 'nope': see 'onefold --help'"),
        (("plan",), "Missing option '--out': see 'onefold plan --help'"),
        (("prove",), "Missing argument 'PLAN': see 'onefold prove --help'"),
        (("prove", "--nope", "x"), "No such option '--nope': see 'onefold prove --help'"),
        (("status", "x"), "Got unexpected extra argument (x): see 'onefold status --help'"),
    ],
)
def test_a_slip_of_the_hand_names_the_help(words: tuple[str, ...], message: str, onefold: Onefold) -> None:
    said = onefold(*words)
    assert (said.code, said.out, said.err) == (1, "", f"onefold: {message}\n")
