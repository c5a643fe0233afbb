"""`whatsit selftest`: the golden pictures, replayed."""

from __future__ import annotations

import click

from .. import zoo
from ..classifier import load
from ..errors import ModelError
from ..selftest import Check, replay
from . import output
from .options import model_option, runtime_option


@click.command()
@model_option
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture.")
def command(model: str | None, runtime: str | None, as_json: bool) -> int:
    """Replay the golden pictures and compare with the recorded answers.

    Without --model, every built-in model is tested. A model that is not built in has no recorded
    answers; with --runtime openvino it is compared with LiteRT. Exit status: 0 if all pictures
    pass, else 1.
    """
    failed = total = 0
    for name in [*zoo.catalogue()] if model is None else [model]:
        try:
            checks = _replayed(name, runtime)
        except ModelError as error:  # one damaged file must not hide how the others are
            output.print_error(error)
            total, failed = total + 1, failed + 1
            continue
        for check in checks:
            total += 1
            failed += not check.passed
            if as_json:
                output.print_json(check.to_json())
            else:
                _print(check)
    if not as_json:
        output.line(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


def _replayed(name: str, runtime: str | None) -> list[Check]:
    with load(name, runtime=runtime, raw=True) as classifier:
        if classifier.pick is not None:
            output.print_note(f"{name}: {classifier.pick.reason}")
        return list(replay(classifier))


def _print(check: Check) -> None:
    best = check.result.predictions[0]
    state = (
        output.styled("pass", fg="green")
        if check.passed
        else output.styled("FAIL", fg="red", bold=True)
    )
    output.line(
        f"{state}  {check.model:<24}  {check.picture:<14}  {100 * best.score:5.1f} %  {best.label}"
        f"  (off by {check.difference:.4f})"
    )
    if not check.passed:
        output.line(f"      expected class {check.expected[0][0]} at {check.expected[0][1]:.4f}")
