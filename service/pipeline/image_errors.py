"""What may be wrong with the bytes of a photograph.

ImageError
├── NotAnImage        the bytes are no format that is taken
├── ImageDamaged      a format, but truncated or corrupt
├── ImageUnsupported  sound, but of a kind that has no plain RGB picture
└── ImageTooLarge     more pixels than allowed; found in the header, nothing was decoded
"""

KINDS_NOT_TAKEN = ("unknown pixel mode", "cannot handle", "unsupported")
"""What Pillow says, in any case of letters, of files that are sound and yet not for it."""


class ImageError(Exception):
    """Bytes that are no usable photograph; the message says what was found and what is allowed."""


class NotAnImage(ImageError):
    """The bytes are no format that is taken."""


class ImageDamaged(ImageError):
    """A known format, truncated or corrupt."""


class ImageUnsupported(ImageError):
    """A sound file whose kind has no plain RGB picture."""


class ImageTooLarge(ImageError):
    """More pixels than allowed."""


def refusal(format_name: str, error: Exception) -> ImageError:
    """What a decoder's error means: a kind that is not taken, or damage."""
    reason = (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")
    if any(phrase in reason.lower() for phrase in KINDS_NOT_TAKEN):
        return ImageUnsupported(
            f"The {format_name} is of a kind that is not taken: {reason}. "
            "Send 8 bits a channel (PNG and TIFF: or 16), as gray, RGB or CMYK."
        )
    return ImageDamaged(
        f"The {format_name} cannot be decoded: {reason}. It is truncated or corrupt; send it again."
    )
