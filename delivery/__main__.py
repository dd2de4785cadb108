"""`python -m delivery`; a code other than 0 is left in build/exit-code, too, as make hands none on (Makefile)."""

from delivery.cli import main
from delivery.environments import ROOT

EXIT_CODE = ROOT / "build/exit-code"

try:
    main(prog_name="python -m delivery")
except SystemExit as ended:
    EXIT_CODE.unlink(missing_ok=True)
    if ended.code:
        EXIT_CODE.parent.mkdir(exist_ok=True)
        EXIT_CODE.write_text(f"{ended.code}\n", encoding="utf-8")
    raise
