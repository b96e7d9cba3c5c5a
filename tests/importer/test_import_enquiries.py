"""Enquiries of imported leads, and external ids, of which a creator has each once from one source."""

from typing import Any

import pytest

from app.db.engine import Database
from app.importer.report import NotImported
from tests.importer.test_import import SOURCES, ibm, load, row, rows

ENQUIRY: dict[str, Any] = {
    "text_body": " Is it still for sale?\r\nMary\t",
    "listing_price": "450000.0",
    "mls_id": 1000002,
    "listing_status": "For Sale",
    "street_address": " 12 Maple Avenue ",
    "city": "Armonk",
    "state": "NY",
    "language": "en",
    "external_id": 4711.0,
}
STORED = ENQUIRY | {
    "message": "Is it still for sale?\r\nMary",
    "listing_price": 450_000,
    "mls_id": "1000002",
    "street_address": "12 Maple Avenue",
    "external_id": "4711",
}
del STORED["text_body"]


async def test_every_field_of_an_enquiry_arrives(database: Database) -> None:
    document = ibm()
    document["leads"][0] |= ENQUIRY
    report = await load(database, document)
    assert not report.unknown
    lead = await row(database, "leads")
    assert {name: lead[name] for name in STORED} == STORED


@pytest.mark.parametrize("nothing", [None, "", " \n"])
async def test_a_field_that_is_blank_counts_as_left_out(database: Database, nothing: str | None) -> None:
    document = ibm()
    document["leads"][0] |= dict.fromkeys(ENQUIRY, nothing)
    await load(database, document)
    lead = await row(database, "leads")
    assert [lead[name] for name in STORED] == [None] * len(STORED)


def lead(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "contact_id": 2, **fields}


async def test_leads_without_an_external_id_or_of_other_sources_are_no_duplicates(database: Database) -> None:
    document = ibm() | {"lead_sources": SOURCES}
    document["contacts"].append({"id": 3, "owner_user_id": 5})
    document["leads"] += [
        *(lead(number) for number in (3, 4)),
        *(lead(number, source_id=1) for number in (5, 6)),
        lead(7, external_id="a"),
        lead(8, external_id="a", source_id=1),
        lead(9, external_id="a", source_id=2),
        lead(10, external_id="A", source_id=2),
        {"id": 11, "contact_id": 3, "external_id": "a"},
    ]
    await load(database, document)
    before = await rows(database, "leads")
    assert len(before) == 10
    report = await load(database, document)
    assert (report.added["leads"], report.present["leads"]) == (0, 10)
    assert await rows(database, "leads") == before


@pytest.mark.parametrize("source_id", [None, 1])
async def test_an_external_id_that_the_database_has_is_a_problem(database: Database, source_id: int | None) -> None:
    document = ibm() | {"lead_sources": SOURCES}
    document["leads"][0] |= {"external_id": "4711", "source_id": source_id}
    await load(database, document)
    for spelled in ("4711", " 4711 ", 4711):
        with pytest.raises(NotImported) as refused:
            await load(database, {"leads": [lead(3), lead(4, external_id=spelled, source_id=source_id)]})
        shown = "null" if source_id is None else source_id
        told = f'creator_id 4, external_id "4711", source_id {shown} is already in the database (id 2)'
        assert refused.value.problems == (f"leads[1]: {told}",)
    assert len(await rows(database, "leads")) == 1
    await load(database, {"leads": [lead(4, external_id="4711", source_id=2)]})
