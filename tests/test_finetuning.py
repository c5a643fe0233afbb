"""Training all layers: what it gives, how it is cut off and goes on, what it refuses."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import make_dataset
import make_networks
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from make_networks import Network
from PIL import Image

import whatsit
from whatsit import (
    DatasetError,
    ExtraMissing,
    ModelUnsupported,
    UsageError,
    WhatsitError,
    inputs,
)
from whatsit.train import Tuning, add

torch = pytest.importorskip("torch")

from whatsit.train import finetuning  # noqa: E402
from whatsit.train.finetuning import augment, loop, storing  # noqa: E402
from whatsit.train.finetuning.checkpoint import Checkpoint, State  # noqa: E402

REAL = "mobilenet-v2-float16"
KINDS = make_dataset.KINDS
QUICK = Tuning(epochs=6, batch=16, rate=0.02, device="cpu")  # epochs of five steps
Program = Callable[..., Any]


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 16)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "others", 8, first=100)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent whose training takes a second."""
    path = tmp_path_factory.mktemp("small") / "net.tflite"
    make_networks.bundle(Network(side=24, seed=1), rule="stretch(bilinear)").write(path)
    return path


@pytest.fixture(scope="module")
def whole(textures: Path, others: Path, small: Path) -> whatsit.TrainingReport:
    """A training that nobody cut off."""
    return train(textures, others, small)


@pytest.fixture
def saves_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SAVE_EVERY_S", 0.0)


def train(textures: Path, others: Path, small: Path, **options: Any) -> whatsit.TrainingReport:
    given = {"method": "finetune", "parent": small, "tuning": QUICK, "validation": others}
    return whatsit.train(textures, **{**given, **options})


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Ctrl-C as at a terminal, also where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Killed(BaseException):
    """As nobody catches it."""


def after(steps: int, act: Callable[[], None]) -> Callable[[str, int, int], None]:
    """A progress that acts once so many steps are done."""

    def progress(what: str, done: int, total: int) -> None:
        if what.startswith("epoch") and done == steps:
            act()

    return progress


def kill() -> None:
    raise Killed


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_learns(whole: whatsit.TrainingReport) -> None:
    history = whole.recipe["history"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    assert whole.recipe["best_epoch"] == 6
    assert whole.accuracy is not None
    assert whole.accuracy.value > 0.5  # of five
    assert whole.method == "finetune"
    assert whole.finished


def test_the_record(whole: whatsit.TrainingReport, small: Path) -> None:
    parent = whatsit.Bundle.read(small)
    record = whole.bundle.record
    assert record["parents"] == [{"name": "net", "sha256": parent.sha256}]
    assert record["recipe"]["method"] == "finetune"
    assert (record["recipe"]["learned"], record["recipe"]["judged"]) == (70, 10)
    assert record["quantization"] == {"to": "int8", "calibration_pictures": 70}
    assert record["split"]["train"]["pictures"] == 80
    assert record["accuracy"][0]["pictures"] == 40
    assert whole.bundle.labels.names == KINDS
    assert whole.bundle.preprocess == parent.preprocess
    assert whole.float_bundle is not None
    assert whole.float_bundle.record["parents"] == record["parents"]
    assert whole.float_bundle.record["accuracy"][0]["pictures"] == 40


def test_int8_and_float_are_what_they_are_called(whole: whatsit.TrainingReport) -> None:
    def weights(bundle: whatsit.Bundle) -> set[str]:
        details = Interpreter(model_content=bundle.data).get_tensor_details()
        return {np.dtype(one["dtype"]).name for one in details if len(one["shape"]) == 4}

    assert whole.float_bundle is not None
    assert "int8" in weights(whole.bundle)
    assert "int8" not in weights(whole.float_bundle)


def test_the_answers_counted_are_those_the_files_give(
    whole: whatsit.TrainingReport, others: Path
) -> None:
    assert whole.float_bundle is not None
    assert whole.accuracy is not None
    for bundle, rate in (
        (whole.bundle, whole.accuracy),
        (whole.float_bundle, whole.float_accuracy),
    ):
        with whatsit.Classifier(bundle) as classifier:
            found = whatsit.evaluate(classifier, others, labels_by="name", resume=False)
        assert found.top(1) == rate
    flips = {flip.path for flip in whole.flips}
    assert abs(whole.accuracy.hits - whole.float_accuracy.hits) <= len(flips)


def test_plain_litert_gives_the_same_answers(whole: whatsit.TrainingReport, others: Path) -> None:
    interpreter = Interpreter(model_content=whole.bundle.data)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    scores = interpreter.get_output_details()[0]["index"]
    with whatsit.Classifier(whole.bundle) as classifier:
        for path in sorted(others.rglob("*.png"))[::3]:
            batch = inputs.read(path, whole.bundle, whole.bundle.preprocess).batch
            interpreter.set_tensor(image, batch)
            interpreter.invoke()
            best = int(interpreter.get_tensor(scores)[0].argmax())
            assert classifier.classify(path).predictions[0].index == best


def test_the_same_twice(
    whole: whatsit.TrainingReport, textures: Path, others: Path, small: Path
) -> None:
    assert train(textures, others, small).bundle.data == whole.bundle.data
    assert train(textures, others, small, seed=1).bundle.data != whole.bundle.data


def test_a_killed_training_goes_on_as_if_it_had_not_been(
    whole: whatsit.TrainingReport,
    textures: Path,
    others: Path,
    small: Path,
    tmp_path: Path,
    saves_often: None,
) -> None:
    output = tmp_path / "t.tflite"
    for steps, resume in ((6, False), (7, True), (17, True)):
        with pytest.raises(Killed):
            train(
                textures,
                others,
                small,
                output=output,
                resume=resume,
                progress=after(steps, kill),
            )
        assert not output.exists()
        assert Path(f"{output}.checkpoint").exists()
    report = train(textures, others, small, output=output, resume=True)
    assert report.bundle.data == whole.bundle.data == output.read_bytes()
    assert list(tmp_path.iterdir()) == [output]


def test_kill_9(
    whole: whatsit.TrainingReport, textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    """The program itself, killed as soon as there is a checkpoint."""
    output, options = (
        tmp_path / "t.tflite",
        ["--epochs", "6", "--batch", "16", "--rate", "0.02", "--device", "cpu"],
    )
    words = [*map(str, ("train", textures, "--method", "finetune", "-m", small, *options))]
    words += ["--validation", str(others), "-o", str(output)]
    script = (
        "import sys, time\n"
        "from whatsit.train.finetuning import loop\n"
        "loop._SAVE_EVERY_S = 0.0\n"
        "learn = loop.Trainer._learn\n"
        "def slowly(*words):\n    time.sleep(0.1)\n    learn(*words)\n"
        "loop.Trainer._learn = slowly\n"
        "from whatsit.cli import main\n"
        f"sys.argv = ['whatsit', *{words!r}]\nmain()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    checkpoint = Path(f"{output}.checkpoint")
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert checkpoint.exists()
    assert not output.exists()
    done = subprocess.run(
        [sys.executable, "-m", "whatsit", *words, "--resume", "--json"],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["sha256"] == whole.bundle.sha256
    assert whatsit.Bundle.read(output).data == whole.bundle.data
    assert not checkpoint.exists()


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_leaves_the_best_so_far_and_resume_the_rest(
    whole: whatsit.TrainingReport, textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    output = tmp_path / "t.tflite"
    told: list[str] = []
    report = train(
        textures,
        others,
        small,
        output=output,
        progress=after(12, press_ctrl_c),
        note=told.append,
    )
    assert not report.finished
    assert [row["epoch"] for row in report.recipe["history"]] == [1, 2]
    (stopped,) = [note for note in told if note.startswith("stopped after 2 epochs: the model is")]
    assert "that of epoch" in stopped
    assert "--resume" in stopped
    assert output.read_bytes() == report.bundle.data
    assert report.accuracy is not None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = train(textures, others, small, output=output, resume=True)
    assert again.bundle.data == whole.bundle.data == output.read_bytes()


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_before_there_is_anything_to_keep(
    textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    output = tmp_path / "t.tflite"
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(
            textures,
            others,
            small,
            output=output,
            progress=after(2, press_ctrl_c),
            note=told.append,
        )
    assert told[-1] == "stopped: there is no model yet; --resume goes on"
    assert [one.name for one in tmp_path.iterdir()] == ["t.tflite.checkpoint"]


def test_ctrl_c_while_it_is_stored_costs_no_training(
    whole: whatsit.TrainingReport, textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    def stop(*words: Any) -> Any:
        raise KeyboardInterrupt

    output = tmp_path / "t.tflite"
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "quantize_int8", stop)
        with pytest.raises(KeyboardInterrupt):
            train(textures, others, small, output=output, note=told.append)
    assert told[-1] == "stopped: there is no model yet; --resume goes on"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Trainer, "_learn", stop)  # nothing is left to learn
        report = train(textures, others, small, output=output, resume=True)
    assert report.bundle.data == whole.bundle.data
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.usefixtures("keyboard")
def test_the_program_says_130_after_ctrl_c(
    whatsit: Program,
    textures: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learn = loop.Trainer._end_epoch

    def and_press(self: loop.Trainer) -> None:
        learn(self)
        press_ctrl_c()

    monkeypatch.setattr(loop.Trainer, "_end_epoch", and_press)
    output = tmp_path / "t.tflite"
    words = ("train", textures, "--method", "finetune", "-m", small, "-o", output)
    run = whatsit(*words, "--batch", "8")
    assert run.status == 130
    assert "stopped after 1 epoch: the model is" in run.err
    assert output.exists()
    assert "Top-1" in run.out


@pytest.fixture
def cut_off(textures: Path, others: Path, small: Path, tmp_path: Path, saves_often: None) -> Path:
    """The output of a training that was cut off."""
    output = tmp_path / "t.tflite"
    with pytest.raises(Killed):
        train(textures, others, small, output=output, progress=after(3, kill))
    return output


def test_an_unfinished_training_is_not_lost_by_mistake(
    textures: Path, others: Path, small: Path, cut_off: Path
) -> None:
    before = Path(f"{cut_off}.checkpoint").read_bytes()
    with pytest.raises(UsageError, match="cut off") as caught:
        train(textures, others, small, output=cut_off)
    assert caught.value.hint == "--resume goes on with it, --force begins anew"
    assert Path(f"{cut_off}.checkpoint").read_bytes() == before
    train(textures, others, small, output=cut_off, force=True)
    assert not Path(f"{cut_off}.checkpoint").exists()


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"tuning": Tuning(epochs=7, batch=16, rate=0.02, device="cpu")},
        {"tuning": Tuning(epochs=6, batch=16, rate=0.01, device="cpu")},
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    textures: Path, others: Path, small: Path, cut_off: Path, other: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="of another training") as caught:
        train(textures, others, small, output=cut_off, resume=True, **other)
    assert caught.value.expected == "the same pictures, model, seed and settings as before"


def test_a_checkpoint_of_other_pictures_is_refused(
    others: Path, small: Path, cut_off: Path, tmp_path: Path
) -> None:
    pictures = make_dataset.write(tmp_path / "textures", 16, first=50)
    with pytest.raises(UsageError, match="of another training"):
        train(pictures, others, small, output=cut_off, resume=True)


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint(
    textures: Path, others: Path, small: Path, cut_off: Path, damage: bytes | None
) -> None:
    path = Path(f"{cut_off}.checkpoint")
    path.write_bytes(path.read_bytes()[:-1000] if damage is None else damage)
    with pytest.raises(WhatsitError, match="cannot be read") as caught:
        train(textures, others, small, output=cut_off, resume=True)
    assert "--force" in caught.value.hint


def test_a_checkpoint_that_runs_a_program_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path}/ran",)

    path = tmp_path / "x.checkpoint"
    torch.save({"format": 1, "key": "", "best": Evil()}, path)
    with pytest.raises(WhatsitError, match="cannot be read"):
        Checkpoint(path, "").load()
    assert not (tmp_path / "ran").exists()


def test_nothing_to_resume(textures: Path, others: Path, small: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to resume"):
        train(textures, others, small, output=tmp_path / "t.tflite", resume=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "tune"}, "the method 'tune'"),
        ({"method": "head"}, "for the method 'head'"),
        ({"method": "head", "tuning": None, "resume": True}, "for the method 'head'"),
        ({"few_shot": True}, "few-shot with the method 'finetune'"),
        ({"resume": True}, "resume without an output"),
        ({"curve": True}, "a learning curve with the method 'finetune'"),
        ({"method": "head", "tuning": None, "float_output": "f.tflite"}, "a float output"),
    ],
)
def test_wishes_that_do_not_go_together(
    textures: Path, others: Path, small: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        train(textures, others, small, **options)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, "epochs 0"),
        ({"batch": 1}, "batch 1"),
        ({"rate": 0}, "a rate of 0"),
        ({"rate": math.nan}, "a rate of nan"),
        ({"rate": 2}, "a rate of 2"),
        ({"epochs": 2.5}, "epochs 2.5"),
        ({"device": "tpu"}, "the device 'tpu'"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Tuning(**settings)
    assert caught.value.expected


def test_a_device_that_is_not_there(textures: Path, others: Path, small: Path) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("it is there")
    with pytest.raises(UsageError, match="the device 'mps' is not there"):
        train(textures, others, small, tuning=Tuning(device="mps"))


def test_a_rate_at_which_it_goes_astray(
    textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    """Nothing useful can come of it: better no model than a poor one."""
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        lost = loop._loss
        patch.setattr(loop, "_loss", lambda *words: lost(*words) * math.nan)
        with pytest.raises(WhatsitError, match="went astray in epoch 1") as caught:
            train(textures, others, small, output=tmp_path / "t.tflite")
    assert "a lower --rate than 0.02" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_number_is_worse() -> None:
    good, odd = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([math.nan] * 3)
    assert loop._worse(odd, good, 2.0)
    assert not loop._worse(good, good, 2.0)
    assert loop._worse(good + 1, good, 2.0)
    by_chance = good + torch.tensor([1.0, -2.0, 1.5])
    assert not loop._worse(by_chance, good, 2.0)


def test_a_picture_that_vanishes_ends_it_where_it_can_go_on(
    whole: whatsit.TrainingReport, textures: Path, others: Path, small: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "textures"
    shutil.copytree(textures, pictures)
    lost, output = pictures / KINDS[0] / "0003.png", tmp_path / "t.tflite"
    assert lost.exists()
    away = after(2, lambda: lost.rename(tmp_path / "away") and None)
    with pytest.raises(DatasetError, match="could be read before") as caught:
        train(pictures, others, small, output=output, progress=away)
    assert "--resume" in caught.value.hint
    (tmp_path / "away").rename(lost)
    report = train(pictures, others, small, output=output, resume=True)
    assert report.bundle.data == whole.bundle.data


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    whole: whatsit.TrainingReport,
    textures: Path,
    others: Path,
    small: Path,
    tmp_path: Path,
    saves_often: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*words: Any) -> Any:
        raise WhatsitError("cannot write 't.tflite.checkpoint': No space left on device")

    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", full)
        report = train(textures, others, small, output=tmp_path / "t.tflite", note=told.append)
    assert report.bundle.data == whole.bundle.data
    assert [note for note in told if "could not be saved" in note] == [
        "what it takes to go on could not be saved: cannot write 't.tflite.checkpoint': No space "
        "left on device"
    ]


def test_a_checkpoint_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    state = State(0, 0.0, 1, [torch.zeros(100_000)], [], {}, None, [])
    checkpoint = Checkpoint(tmp_path / "gone" / "x.checkpoint", "")
    with pytest.raises(WhatsitError, match="cannot write"):
        checkpoint.save(state)


def test_going_on_with_other_versions_is_told(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "x.checkpoint", "", "cuda")
    checkpoint.save(State(3, 0.0, 1, [], [], {}, None, []))
    state, remark = Checkpoint(tmp_path / "x.checkpoint", "", "cpu").load()
    assert (state.step, state.threads) == (3, 1)
    assert remark == "going on will not be exact: device cuda before, cpu now"
    assert checkpoint.load()[1] == ""


def test_too_little_memory_is_told(
    textures: Path, others: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(*words: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(loop.Trainer, "_learn", learn)
    with pytest.raises(WhatsitError, match="does not fit into memory") as caught:
        train(textures, others, small)
    assert "--batch" in caught.value.hint


def test_pictures_that_all_look_the_same_cannot_be_measured(small: Path, tmp_path: Path) -> None:
    for number, kind in enumerate(("one", "two")):
        (tmp_path / kind).mkdir()
        picture = make_dataset.texture(KINDS[number], number).resize((96, 96))
        for copy in range(12):
            picture.save(tmp_path / kind / f"{copy}.jpg", quality=70 + copy)
    with pytest.raises(DatasetError, match="nothing can be measured") as caught:
        whatsit.train(tmp_path, method="finetune", parent=small, tuning=QUICK)
    assert "--validation" in caught.value.hint


def test_no_more_than_enough_judge(
    textures: Path, others: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetuning, "MOST_JUDGED", 3)
    report = train(textures, others, small, tuning=Tuning(epochs=1, batch=40, device="cpu"))
    assert report.recipe["judged"] == 3
    assert report.recipe["learned"] == 77


def test_where_nothing_can_judge_the_last_epoch_is_kept(
    textures: Path, others: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetuning, "MOST_JUDGED", 0)
    told: list[str] = []
    report = train(
        textures, others, small, tuning=Tuning(epochs=2, batch=40, device="cpu"), note=told.append
    )
    assert report.recipe["best_epoch"] == 2
    assert any("the last is kept" in note for note in told)
    assert "validation_loss" not in report.recipe["history"][0]


def test_a_new_last_layer_may_stay_the_best(
    textures: Path, others: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_worse", lambda losses, best, doubt: True)
    told: list[str] = []
    report = train(textures, others, small, note=told.append)
    assert report.recipe["best_epoch"] == 0
    assert len(report.recipe["history"]) == 3  # half of all
    assert any("every epoch was worse" in note for note in told)


def test_a_float_file_that_cannot_be_written_costs_nothing_else(
    textures: Path, others: Path, small: Path, tmp_path: Path, saves_often: None
) -> None:
    output, floats = tmp_path / "t.tflite", tmp_path / "f.tflite"
    with pytest.raises(WhatsitError, match="cannot write"):
        train(
            textures,
            others,
            small,
            output=output,
            float_output=floats,
            progress=after(30, floats.mkdir),
        )
    assert output.exists()
    assert Path(f"{output}.checkpoint").exists()


def test_few_pictures(others: Path, small: Path) -> None:
    with pytest.raises(DatasetError, match="8 pictures or fewer") as caught:
        train(others, others, small, validation=None)
    assert "--method head" in caught.value.hint


def test_an_int8_parent(textures: Path, others: Path, small: Path) -> None:
    with pytest.raises(ModelUnsupported, match="cannot be trained with all its layers"):
        train(textures, others, small, parent="mobilenet-v2-int8")


def test_without_torch(
    textures: Path, others: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from whatsit.train import tuning

    monkeypatch.setattr(tuning.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys.modules["whatsit.train"], "check_installed", lambda: None)
    with pytest.raises(ExtraMissing, match="torch") as caught:
        train(textures, others, small)
    assert "whatsit[finetune]" in caught.value.hint


@pytest.mark.parametrize(
    ("pictures", "epochs"), [(20, 40), (1000, 8), (2640, 5), (100_000, 5), (0, 40)]
)
def test_more_pictures_take_fewer_epochs(pictures: int, epochs: int) -> None:
    assert Tuning().epochs_for(pictures) == epochs
    assert Tuning(epochs=3).epochs_for(pictures) == 3


def test_a_class_can_be_added_to_it(whole: whatsit.TrainingReport, tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (40, 40), (250, number, 2 * number)).save(tmp_path / f"{number}.png")
    report = add("red", tmp_path, to=whole.bundle)
    assert report.bundle.labels.names == (*KINDS, "red")


def test_a_view_is_decided_by_three_numbers() -> None:
    views = {
        augment.View.drawn(seed, epoch, row)
        for seed in (-1, 0, 1)
        for epoch in range(4)
        for row in range(5)
    }
    assert len(views) == 60
    assert augment.View.drawn(3, 1, 2) == augment.View.drawn(3, 1, 2)
    assert {view.mirrored for view in views} == {True, False}


@pytest.mark.parametrize("size", [(100, 100), (30, 900), (900, 30), (1, 1)])
def test_a_view_lies_inside_and_is_no_sliver(size: tuple[int, int]) -> None:
    height, width = size
    areas = []
    for row in range(200):
        left, top, right, bottom = augment.View.drawn(0, 0, row).region(height, width)
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        areas.append((right - left) * (bottom - top))
        if height == width:
            shape = (right - left) / (bottom - top)
            assert 0.74 < shape < 1.34
    if height == width > 1:
        assert min(areas) < 0.4
        assert 0.85 < max(areas) <= 1


def test_a_picture_in_a_view(tmp_path: Path) -> None:
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[:, 60:] = 200
    Image.fromarray(pixels).save(tmp_path / "p.png")
    whole = (1.0, 0.5, 0.0, 0.0)
    as_it_is, mirrored = augment.View(*whole, False), augment.View(*whole, True)
    seen = augment.seen(str(tmp_path / "p.png"), as_it_is, (24, 32))
    assert seen.shape == (24, 32, 3)
    assert (seen[:, 0].max(), seen[:, -1].min()) == (0, 200)
    assert (augment.seen(str(tmp_path / "p.png"), mirrored, (24, 32)) == seen[:, ::-1]).all()


def test_float_writes_the_model_before_it_became_int8(
    whatsit: Program, textures: Path, small: Path, tmp_path: Path
) -> None:
    output, floats = tmp_path / "t.tflite", tmp_path / "f.tflite"
    words = ("train", textures, "--method", "finetune", "-m", small, "-o", output)
    run = whatsit(*words, "--float", floats, "--epochs", "1", "--batch", "8", "--json")
    assert run.status == 0, run.err
    value = json.loads(run.out)
    assert value["method"] == "finetune"
    assert value["recipe"]["epochs"] == 1
    assert value["finished"]
    assert whatsit("models", "show", floats).status == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f.tflite", "t.tflite"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--float", "f.tflite"], "a float output for the method 'head'"),
        (["--method", "finetune", "--float", "t.tflite"], "the same file"),
        (["--method", "finetune", "--float", "f.bin"], "the output 'f.bin'"),
        (["--epochs", "3"], "for the method 'head'"),
        (["--method", "finetune", "--batch", "0"], "batch 0"),
        (["--method", "finetune", "--resume"], "nothing to resume"),
        (["--method", "finetune", "--few-shot"], "few-shot with"),
    ],
)
def test_what_the_program_refuses(
    whatsit: Program,
    textures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = whatsit("train", textures, "-o", "t.tflite", *words)
    assert run.status == 2
    assert said in run.err
    assert "expected" in run.err
    assert list(tmp_path.iterdir()) == []


def test_finetuning_settings_with_add(whatsit: Program, tmp_path: Path) -> None:
    run = whatsit("train", "--add", "a=b", "--to", tmp_path / "m.tflite", "--epochs", "3")
    assert run.status == 2
    assert "--add with what is for teaching anew" in run.err


def test_a_real_model(others: Path, tmp_path: Path) -> None:
    """MediaPipe is the judge of the file; the photos that calibrate are few, so int8 is rough."""
    mediapipe = pytest.importorskip("mediapipe")
    pictures = make_dataset.write(tmp_path / "textures", 10)
    report = train(pictures, others, Path(REAL), parent=REAL, tuning=Tuning(epochs=1))
    assert report.accuracy is not None
    assert report.accuracy.value > 0.7
    report.bundle.write(tmp_path / "t.tflite")
    vision = SimpleNamespace(
        classifier=mediapipe.tasks.vision.ImageClassifier,
        options=mediapipe.tasks.vision.ImageClassifierOptions,
    )
    base = mediapipe.tasks.BaseOptions(model_asset_path=str(tmp_path / "t.tflite"))
    with vision.classifier.create_from_options(vision.options(base_options=base)) as judge:
        picture = next(iter(sorted(others.rglob("*.png"))))
        image = mediapipe.Image.create_from_file(str(picture))
        best = judge.classify(image).classifications[0].categories[0]
    assert best.category_name in KINDS


def test_scores_are_made_as_sure_as_they_are_right(
    others: Path, small: Path, tmp_path: Path
) -> None:
    """The oracle: no other factor of the logits has a lower log loss on the pictures that judge."""
    pictures = make_dataset.write(tmp_path / "textures", 70)
    losses: list[tuple[float, float]] = []
    sharpen = loop.Trainer._sharpen

    def and_look(self: loop.Trainer) -> None:
        def log_loss() -> float:
            logits, truth = self._answers()
            return float(torch.nn.functional.cross_entropy(logits, truth))

        before = log_loss()
        sharpen(self)
        losses.append((before, log_loss()))
        for factor in (0.9, 1.1):
            self._network.sharpen(factor)
            assert log_loss() >= losses[-1][1] - 1e-6
            self._network.sharpen(1 / factor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Trainer, "_sharpen", and_look)
        report = train(pictures, others, small, tuning=Tuning(epochs=2, device="cpu", rate=0.01))
    ((before, after),) = losses
    assert after < before
    assert report.recipe["judged"] == 35
    assert 0.5 <= report.recipe["sharpness"] <= 4
    assert report.recipe["sharpness"] != 1
