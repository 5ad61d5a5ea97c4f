"""The table of forms in the card."""

from __future__ import annotations

from dataclasses import replace

from listener.detection.params import FeatureParams
from tests.bundles import make_manifest
from trainer.evaluation.documents import to_document
from trainer.forms.figures import FormFigures
from trainer.forms.section import FORMS, STORAGE, forms
from trainer.forms.write import Tried

MANIFEST = make_manifest(FeatureParams())
INT8 = FormFigures("int8", 3_500_000, 2.654, 0.861, None, 8.33, None, 0.001)


def test_a_row_says_what_is_lost_and_gained():
    tried = Tried(("sounds", "more"), 72, 16, (INT8,))
    known = {FORMS: to_document(tried), STORAGE: "float32"}
    text = forms(replace(MANIFEST, provenance=known))
    assert text.startswith("## Forms of the model\n\nThis bundle holds float32.")
    assert "on 72 clips of sounds, more that the bundle had not seen" in text
    assert text.splitlines()[-1] == (
        "| int8 | 3.50 | 2.65 | 86.1 % | 8.33 | unknown | unknown "
        "| no: loses 8.33 points of clip accuracy, at most 0.5 are borne |"
    )


def test_where_nothing_was_tried_there_is_nothing_to_say():
    assert forms(MANIFEST) == ""
