"""Python of the user's: whatever it raises names its file; an interruption of ours passes."""

import pytest

from ninefold import user_code
from ninefold.errors import InputError


class Interrupted(BaseException):
    """As ninefold's own interruption: a class of a module of ninefold's."""

    __module__ = "ninefold.somewhere"


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(0), SystemExit("bye"), GeneratorExit(), KeyboardInterrupt()]
)
def test_loading_tells_everything(error):
    with (
        pytest.raises(InputError, match=r"rules\.files: 'mine\.py'"),
        user_code.calling("rules.files", "mine.py", is_loading=True),
    ):
        raise error


def test_calling_lets_interruptions_pass():
    with pytest.raises(KeyboardInterrupt), user_code.calling("rule", "mine.py"):
        raise KeyboardInterrupt
    for is_loading in (True, False):
        with pytest.raises(Interrupted), user_code.calling("rule", "mine.py", is_loading=is_loading):
            raise Interrupted


def test_an_error_that_names_its_place_is_kept():
    with pytest.raises(InputError, match=r"^seed: 3"), user_code.calling("rule", "mine.py"):
        raise InputError("seed", 3)


def test_who_is_blamed(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def fails():\n    raise KeyError('x')\n\ndef calls(function):\n    function()\n")
    module = user_code.load_file(file, "--workflow")
    assert _blamed(module.fails) == f"your file: {str(file)!r} raises KeyError: 'x' in line 2"
    # a user's file that calls ninefold rightly is not to blame for what happens inside
    from ninefold.chemistry.formula import formula_of

    assert _blamed(lambda: module.calls(lambda: formula_of(None))) is None
    assert _blamed(lambda: {}["x"]) is None


def _blamed(function):
    try:
        function()
    except Exception as error:
        found = user_code.blamed(error)
        return None if found is None else str(found)
    raise AssertionError
