"""What stands beside the packs for who receives them: the program that checks one, and the page that explains how."""

from pathlib import Path

from send_returns.sealing import verify_pack
from send_returns.sealing.files import write
from send_returns.settings import PACKAGE

PAGE = "how-to-check.html"


def write_beside(output: Path) -> None:
    """Put `verify_pack.py` and `how-to-check.html` into the folder of all packs; they are the same for every pack."""
    write(output / "verify_pack.py", Path(verify_pack.__file__).read_bytes())
    write(output / PAGE, (PACKAGE / "sealing" / PAGE).read_bytes())
