"""Images: arrays, figures of matplotlib, images of PIL and files, written as what their name says."""

import os
import shutil
from typing import Any

from offbranch.base.plugins import load
from offbranch.live.errors import InvalidDataTypeError, InvalidImageNameError
from offbranch.live.faults import Faults
from offbranch.live.formats import file_path, temporary_number

EXTENSIONS = frozenset((".jpg", ".jpeg", ".gif", ".png"))


def image_name(name: str, value: object) -> str:
    """Returns the name an image is kept under: that of a file takes the file's extension if it has none.

    Raises:
        InvalidDataTypeError: It is no image.
        InvalidImageNameError: It has an extension of something else.
    """
    if isinstance(value, str | os.PathLike) and not os.path.splitext(str(name))[1]:
        name = f"{name}{os.path.splitext(os.fspath(value))[1]}"
    if os.path.splitext(str(name))[1] not in EXTENSIONS:
        raise InvalidImageNameError(name)
    if not (isinstance(value, str | os.PathLike) or _is_array(value) or _is_figure(value) or _is_picture(value)):
        raise InvalidDataTypeError(name, value)
    return file_path(str(name))


def write_image(path: str, value: Any, faults: Faults) -> None:
    """Writes an image; one that is there is replaced in one step.

    A file is copied if its format is that of the name, else converted. An array is `(height, width)` or
    `(height, width, channels)`: whole numbers from 0 to 255, or others from 0 to 1.

    Raises:
        OSError: It cannot be written, or not in this format.
        ImportError: That needs Pillow, which is not installed.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    extension = os.path.splitext(path)[1]
    temporary = f"{path}.ob-tmp-{temporary_number()}{extension}"
    try:
        if isinstance(value, str | os.PathLike):
            _copy_or_convert(os.fspath(value), temporary, extension)
        elif _is_figure(value):
            value.savefig(temporary)
        elif _is_picture(value):
            _opaque(value, extension).save(temporary)
        else:
            _opaque(_picture_of(value, faults), extension).save(temporary)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _copy_or_convert(source: str, target: str, extension: str) -> None:
    same = ({".jpg", ".jpeg"}, {extension})
    if any({os.path.splitext(source)[1].lower(), extension} <= kinds for kinds in same):
        shutil.copyfile(source, target)
        return
    with load("PIL.Image").open(source) as picture:
        _opaque(picture, extension).save(target)


def _picture_of(value: Any, faults: Faults) -> Any:
    array, kind = value, getattr(value.dtype, "kind", "")
    if kind == "f":
        array = array.copy()
        array[array != array] = 0.0  # not a number
        _warn_if_cut(array, 1.0, faults)
        array = (array.clip(0.0, 1.0) * 255.0).round().astype("uint8")
    elif kind == "b":
        array = array.astype("uint8") * 255
    elif kind in "iu" and array.dtype.itemsize > 1 and (array.ndim > 2 or array.dtype.itemsize == 8):
        _warn_if_cut(array, 255, faults)  # what Pillow has no image for
        array = array.clip(0, 255).astype("uint8")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return load("PIL.Image").fromarray(array)


def _warn_if_cut(array: Any, most: float, faults: Faults) -> None:
    if array.size and (array.min() < 0 or array.max() > most):
        found = f"{array.min():g} to {array.max():g}"
        faults.remark(f"values of an image outside of 0 to {most:g} are cut off: {found}", about="values of images")


def _opaque(picture: Any, extension: str) -> Any:
    """Returns an image as its format can hold it: JPEG has no transparency and no palette."""
    is_jpeg = extension in (".jpg", ".jpeg")
    return picture.convert("RGB") if is_jpeg and picture.mode not in ("RGB", "L", "CMYK") else picture


def _kinds(value: object) -> tuple[str, ...]:
    return tuple(f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__)


def _is_array(value: object) -> bool:
    return "numpy.ndarray" in _kinds(value)


def _is_figure(value: object) -> bool:
    return "matplotlib.figure.Figure" in _kinds(value) or "matplotlib.figure.FigureBase" in _kinds(value)


def _is_picture(value: object) -> bool:
    return "PIL.Image.Image" in _kinds(value)
