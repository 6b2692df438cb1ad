"""The files beside the code are found in a checkout; tests/house/test_wheel.py does the wheel."""

from pathlib import Path

import pytest

from readystate import shipped
from readystate.domain.errors import NotFound
from readystate.shipped import Shipped, shipped_path

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("kind", list(Shipped))
def test_checkout_has_them_at_its_root(kind: Shipped) -> None:
    assert ROOT / kind == shipped_path(kind)


def test_code_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path / "readystate")

    with pytest.raises(NotFound, match="annotations are not beside its code"):
        shipped_path(Shipped.ANNOTATIONS)
