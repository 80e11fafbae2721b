"""The datasets and rules that ship: that every one of them can be used, and does what its own cases say."""

from __future__ import annotations

from detection import shipped


def test_every_shipped_module_reads_and_no_dataset_is_defined_twice() -> None:
    defined = [dataset.code for module in shipped.modules() for dataset in module.datasets]
    assert sorted(defined) == sorted(shipped.datasets())
    assert {module.code for module in shipped.modules()} == {
        "assets", "calls", "funds", "labour", "procurement", "reference", "relief", "seals", "works",
    }  # fmt: skip


def test_every_reference_names_a_shipped_dataset_that_one_text_identifies() -> None:
    datasets = shipped.datasets()
    for dataset in datasets.values():
        for field in dataset.fields:
            if field.ref is not None:
                other = datasets[field.ref]
                assert len(other.key) == 1, (dataset.code, field.code)
                assert other.field(other.key[0]).type == "text", (dataset.code, field.code)


def test_no_field_about_an_identity_is_open_to_everybody_and_every_key_is_required() -> None:
    for dataset in shipped.datasets().values():
        for field in dataset.fields:
            assert field.personal or field.type not in {"person", "account"}, (dataset.code, field.code)
            assert field.required or field.code not in dataset.key, (dataset.code, field.code)
