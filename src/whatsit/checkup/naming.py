"""Causes in words: what each is called, and what to do about it in a program or in the file."""

from __future__ import annotations

from collections.abc import Mapping

# code → (title, what to do in the program that does it, what another picture would tell it by)
CAUSES: Mapping[str, tuple[str, str, str]] = {
    "channels-swapped": (
        "Red and blue are swapped (BGR in place of RGB)",
        "Give the model RGB: cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), or picture[..., ::-1].",
        "in strong colours, with red and blue in it",
    ),
    "grey": (
        "The picture is grey",
        "Open it in colour: cv2.IMREAD_COLOR, or Image.convert('RGB') of the colour file.",
        "in strong colours",
    ),
    "inverted": (
        "The picture is a negative",
        "Take 255 - pixels away from the way of the picture.",
        "with much black or white",
    ),
    "mean-std": (
        "Another mean and std",
        "Scale pixels as the model was made for: (pixel - mean) / std, once.",
        "with deep shadows and bright lights",
    ),
    "int8-edges": (
        "Pixels are taken for signed numbers, or the other way round",
        "Subtract 128 for an int8 input and nothing for a uint8 one, and mind the type.",
        "with both dark and bright parts",
    ),
    "labels-shifted": (
        "Labels are shifted by one",
        "Use the list of labels that belongs to the model: with 'background' first if, and only "
        "if, the model has that class.",
        "of something else",
    ),
    "labels-differ": (
        "Labels are in another order",
        "Use the list of labels that was written when the model was made: classes may have been "
        "sorted in another way.",
        "of something else",
    ),
    "exif-ignored": (
        "The EXIF turn is ignored",
        "Turn the picture first: ImageOps.exif_transpose(picture) in Pillow; cv2.imread does it.",
        "taken with the phone upright, whose file has an EXIF turn",
    ),
    "turned": (
        "The picture is turned",
        "Turn it upright before it is classified.",
        "that is not alike from several sides",
    ),
    "mirrored": (
        "The picture is mirrored",
        "Mirror what is shown of a camera, and never what is classified.",
        "with writing in it",
    ),
    "stretch-crop": (
        "Another part of the picture, or another shape of it",
        "Cut and resize as the model was made for: docs/preprocessing.md says how.",
        "that is not square, with things at its border",
    ),
    "resize-filter": (
        "Another filter resizes the picture",
        "Resize with the filter that the model was made for.",
        "that is large and full of details",
    ),
    "softmax-twice": (
        "Softmax is applied a second time",
        "The model ends in softmax: take its output as it is.",
        "of something that the model is sure of",
    ),
}


def title(code: str) -> str:
    """What a cause is called."""
    return CAUSES[code][0]


def advice(code: str) -> str:
    """What to do in the program that does it."""
    return CAUSES[code][1]


def telling(code: str) -> str:
    """What a picture must be like to show it."""
    return CAUSES[code][2]
