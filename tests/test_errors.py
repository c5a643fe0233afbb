"""What every error of whatsit can do."""

from __future__ import annotations

import pytest

from whatsit import Bundle, DatasetError, ModelDamaged, UsageError


@pytest.mark.parametrize("kind", [DatasetError, UsageError])
def test_an_error_is_put_in_a_wider_sentence(kind: type[DatasetError | UsageError]) -> None:
    error = kind("it is empty", expected="a file", hint="look again")
    wider = error.about("'x.csv'")
    assert type(wider) is kind
    assert (wider.message, str(wider)) == ("'x.csv': it is empty",) * 2
    assert (wider.expected, wider.hint) == ("a file", "look again")
    assert error.message == "it is empty"


def test_what_was_first_said_stays_the_cause() -> None:
    with pytest.raises(ModelDamaged, match=r"^model 'net': the file is empty$") as caught:
        Bundle.from_bytes(b"", "net")
    assert isinstance(caught.value.__cause__, ModelDamaged)
