"""Pictures within URLs. One elsewhere is not fetched: a server that fetches for strangers can be turned inward."""

import base64
import binascii
import re
from typing import Final

from cortex_domain.errors import InvalidRequestError
from cortex_domain.messages import ImagePart

_DATA_URL: Final = re.compile(r"data:(image/[A-Za-z0-9.+-]{1,64});base64,(.+)", re.DOTALL)


def picture_in(url: str, /, *, field: str, parameter: str) -> ImagePart:
    """Builds the picture that a URL holds.

    Args:
        url: `data:image/…;base64,…`
        field: Where the caller wrote it, for the message.
        parameter: The parameter that this is part of.

    Raises:
        InvalidRequestError: The URL does not hold a picture.
    """
    found = _DATA_URL.fullmatch(url)
    try:
        if found is not None:
            return ImagePart(data=base64.b64decode(found[2], validate=True), media_type=found[1])
    except (binascii.Error, ValueError):
        pass
    raise InvalidRequestError(
        f"{field} must hold the picture itself: 'data:image/png;base64,…'. Pictures elsewhere are not fetched.",
        parameter=parameter,
    )
