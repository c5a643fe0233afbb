"""The command line: a table of commands, imported when called, and one place for errors."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import warnings
from typing import Any

# Before numpy comes in: its OpenBLAS would start threads that spin, and we do no linear algebra.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Imports make many objects and no garbage; looking for it a dozen times delays the first answer.
gc.set_threshold(100_000)

from . import interrupts  # noqa: E402

with interrupts.at_once():
    import click

    from .. import __version__
    from ..errors import UsageError, WhatsitError
    from . import output

# name → (module, one line of help); `whatsit FILE` means `whatsit classify FILE`
COMMANDS = {
    "classify": ("classify", "Say what is in pictures."),
    "explain": ("explain", "Show which part of a picture speaks for a class."),
    "batch": ("batch", "Classify any number of pictures into one file; go on after any stop."),
    "watch": ("watch", "Say what comes and goes in a video or on a camera."),
    "models": ("models", "List, fetch, show, check and remove models."),
    "choose": ("choose", "Find the best model for this device and these pictures."),
    "benchmark": ("benchmark", "Measure how fast models are on this machine."),
    "train": ("train", "Teach a model your own classes."),
    "evaluate": ("evaluate", "Measure how good a model is on your pictures."),
    "compare": ("compare", "Which of two models is better on your pictures?"),
    "calibrate": ("calibrate", "Measure how far answers can be trusted; keep that in the model."),
    "doctor": ("doctor", "Say why two programs disagree, or why a model is refused."),
    "quantize": ("quantize", "Make a float model smaller and faster, and see what it costs."),
    "dataset": ("dataset", "Find what is wrong with a data set before a model learns it."),
    "serve": ("serve", "Serve the web app for phones, and the HTTP API."),
    "selftest": ("selftest", "Replay the golden pictures and compare."),
}
DEFAULT_COMMAND = "classify"


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        with interrupts.at_once():
            module = importlib.import_module(f"whatsit.cli.{COMMANDS[name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if args and args[0] not in COMMANDS and args[0] not in own:
            _refuse_misspelt(args[0])
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            status = super().invoke(ctx)
            output.flush()
        except BrokenPipeError:
            # The reader (`| head`) has gone, which is no error of ours.
            _stop_quietly()
            return 0
        return status


def _refuse_misspelt(word: str) -> None:
    """Raises UsageError if `word`, which would be taken for a file, looks like a command."""
    if not word.isalpha() or os.path.lexists(word):
        return
    import difflib

    for command in difflib.get_close_matches(word, COMMANDS, n=1):
        raise UsageError(
            f"no file and no command {word!r}",
            expected=f"a picture or one of {', '.join(COMMANDS)}",
            hint=f"did you mean `whatsit {command}`?",
        )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`whatsit photo.jpg` is short for `whatsit classify photo.jpg`; "
    "`whatsit classify --help` lists its options.",
)
@click.version_option(__version__, prog_name="whatsit")
def cli() -> None:
    """What is in the picture: image classification on this machine, offline."""


def main() -> None:
    """The `whatsit` program. Exit status: 0 all good, 1 some inputs failed, 2 wrong usage."""
    try:
        _run()
    finally:
        gc.freeze()  # nothing is left to collect: spares Python a walk through every object


def _run() -> None:
    _prepare_streams()
    # Pillow warns of odd files while it opens them; what matters arrives as an error.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        status = cli.main(prog_name="whatsit", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except WhatsitError as error:
        output.print_error(error)
        sys.exit(error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # some releases of click would print it
        sys.exit(error.exit_code)
    except click.UsageError as error:
        output.print_error(_in_our_words(error))
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _stop_quietly()
        sys.exit(128 + signal.SIGINT)


def _in_our_words(error: click.UsageError) -> UsageError:
    """What click complains of, as an error of ours."""
    likely = getattr(error, "possibilities", None)  # of a misspelt option or subcommand
    message = error.message if likely else error.format_message()
    if isinstance(error, click.NoSuchOption):  # which each release of click words differently
        message = f"no such option {error.option_name!r}"
    context = error.ctx  # click forgets it for an option without its value
    name = context.command_path if context else "whatsit COMMAND"
    usage = context.command.collect_usage_pieces(context) if context else ["[OPTIONS]"]
    return UsageError(
        (message[:1].lower() + message[1:]).rstrip("."),
        expected=" ".join([name, *usage]),
        hint=f"did you mean {' or '.join(likely)}?" if likely else f"`{name} --help` says more",
    )


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as in `whatsit photo.jpg >&-`
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    # Names of files need not be text in the terminal's encoding: print what can be printed.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _silence_c_libraries()


def _silence_c_libraries() -> None:
    """Leaves standard error to Python: libtiff writes of damaged files straight to descriptor 2."""
    try:
        if os.name != "posix" or sys.stderr.fileno() != 2:
            return
    except OSError:  # no descriptor at all: somebody captures what we print
        return
    sys.stderr = open(  # noqa: SIM115
        os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _stop_quietly() -> None:
    """Points standard output to nowhere, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
