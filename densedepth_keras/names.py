"""Names: of table lines, looked up or refused with the nearest one; of files, made printable."""

import difflib
from collections.abc import Collection


def printable(text: str) -> str:
    """Names of files need not be UTF-8; what is said of them must be."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def check_name(name, names: Collection[str], what: str, argument: str) -> None:
    """Raises a ValueError that suggests the nearest unless `name` is one of `names`.

    Args:
        name: what was received.
        names: what there is, e.g. a table.
        what: what a name stands for, for the message: "backbone".
        argument: of which argument it is the value: "encoder".
    """
    if isinstance(name, str) and name in names:
        return
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    expected = ", ".join(map(repr, names))
    raise ValueError(f"Unknown {what}. Expected one of: {expected}. Received: {argument}={name!r}.{hint}")
