"""Microsoft's Dataverse client for Python, unmodified, does what it offers against the sandbox.

Reads the line that `cosell sandbox --json` prints from standard input; exits with 0 when everything worked. The
certificate authority comes from REQUESTS_CA_BUNDLE.
"""

import enum
import json
import sys
import uuid

from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.query_builder import ExpandOption
from PowerPlatform.Dataverse.models.relationship import (
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)
from PowerPlatform.Dataverse.models.upsert import UpsertItem

addresses = json.load(sys.stdin)
# The authority is none of Microsoft's, so there is no asking Microsoft about it.
credential = ClientSecretCredential(
    addresses["tenant"],
    addresses["client_id"],
    addresses["client_secret"],
    authority=addresses["entra"],
    disable_instance_discovery=True,
)


class Stage(enum.IntEnum):
    New = 100000000
    Ready = 100000001


def label(text):
    return Label([LocalizedLabel(text, 1033)])


def refused(status, action):
    """`action` is refused with `status`."""
    try:
        action()
    except HttpError as error:
        assert error.status_code == status, error
        return
    raise AssertionError(f"expected status {status}")


def records(client):
    one = client.records.create("account", {"name": "Contoso", "customertypecode": "Partner"})
    many = client.records.create("account", [{"name": f"Contoso {n}", "numberofemployees": n} for n in range(1, 6)])
    assert len(many) == 5, many
    client.records.update("account", one, {"telephone1": "555-0100"})
    client.records.update("account", many, {"websiteurl": "https://contoso.example"})
    client.records.update("account", many[:2], [{"description": "first"}, {"description": "second"}])
    row = client.records.retrieve("account", one, select=["name", "telephone1", "customertypecode"])
    assert (row["name"], row["telephone1"], row["customertypecode"]) == ("Contoso", "555-0100", 5), row
    assert client.records.retrieve("account", "00000000-0000-0000-0000-000000000001") is None
    second = client.records.retrieve("account", many[1], select=["description", "websiteurl"])
    assert second["description"] == "second" and second["websiteurl"] == "https://contoso.example"
    refused(404, lambda: client.records.update("account", "00000000-0000-0000-0000-000000000001", {"name": "x"}))
    refused(400, lambda: client.records.create("account", {"name": "x" * 161}))
    # All of several, or none.
    refused(400, lambda: client.records.create("account", [{"name": "kept out"}, {"name": "x" * 161}]))
    assert not list(client.records.list("account", filter="name eq 'kept out'"))
    return one, many


def queries(client, one, many):
    contact = client.records.create(
        "contact",
        {"lastname": "de Wit", "parentcustomerid_account@odata.bind": f"/accounts({one})"},
    )
    rows = list(client.records.list("account", filter="contains(name,'Contoso ')", orderby=["name desc"], top=3))
    assert [row["name"] for row in rows] == ["Contoso 5", "Contoso 4", "Contoso 3"], rows
    pages = list(client.records.list_pages("account", filter="contains(name,'Contoso ')", page_size=2))
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    built = (
        client.query.builder("account")
        .select("name", "numberofemployees")
        .where((col("numberofemployees") >= 2) & (col("name").like("Contoso%")))
        .order_by("numberofemployees", descending=True)
        .page_size(3)
        .execute()
    )
    assert [row["numberofemployees"] for row in built] == [5, 4, 3, 2]
    listed = client.query.builder("account").where(col("name").in_(["Contoso 1", "Contoso 2"])).execute()
    assert len(list(listed)) == 2
    between = client.query.builder("account").where(col("numberofemployees").between(2, 4)).execute()
    assert len(list(between)) == 3
    expanded = (
        client.query.builder("account")
        .select("name")
        .where(col("accountid") == uuid.UUID(one))
        .expand(ExpandOption("contact_customer_accounts").select("lastname").order_by("lastname").top(1))
        .execute()
    )
    assert expanded.first()["contact_customer_accounts"][0]["lastname"] == "de Wit"
    xml = f"""<fetch count="2"><entity name="account"><attribute name="name"/><order attribute="name"/>
      <filter><condition attribute="name" operator="like" value="Contoso %"/></filter></entity></fetch>"""
    assert [row["name"] for row in client.query.fetchxml(xml).execute()] == [f"Contoso {n}" for n in range(1, 6)]
    joined = """<fetch><entity name="contact"><attribute name="lastname"/>
      <link-entity name="account" from="accountid" to="parentcustomerid" alias="a"><attribute name="name"/>
      <filter><condition attribute="name" operator="eq" value="Contoso"/></filter></link-entity></entity></fetch>"""
    rows = list(client.query.fetchxml(joined).execute())
    assert len(rows) == 1 and rows[0]["a.name"] == "Contoso", rows
    frame = client.query.builder("account").where(col("name").like("Contoso %")).execute().to_dataframe()
    assert len(frame) == 5
    client.records.delete("contact", contact)


def tables(client):
    info = client.tables.create(
        "new_Project",
        {"new_Code": "string", "new_Budget": "decimal", "new_Size": "int", "new_Due": "datetime", "new_Done": "bool",
         "new_Stage": Stage, "new_Notes": "memo", "new_Ratio": "float"},
        display_name="Project",
    )
    assert info["entity_set_name"] == "new_projects", info
    assert client.tables.get("new_Project")["table_logical_name"] == "new_project"
    assert any(table["LogicalName"] == "new_project" for table in client.tables.list())
    client.tables.add_columns("new_Project", {"new_Extra": {"type": "string", "max_length": 10}})
    client.tables.update_column("new_Project", "new_Extra", {"max_length": 20, "display_name": "More"})
    columns = client.tables.list_columns("new_Project", select=["LogicalName", "AttributeType"])
    assert {"new_code", "new_extra", "new_stage"} <= {column["LogicalName"] for column in columns}
    typed = client.tables.list_columns("new_Project", typed=True)
    assert any(column.get("MaxLength") == 20 for column in typed), typed
    key = client.tables.create_alternate_key("new_Project", "new_code_key", ["new_code"])
    assert client.tables.get_alternate_keys("new_Project")[0].key_attributes == ["new_code"]
    client.records.upsert("new_Project", [UpsertItem({"new_code": "A-1"}, {"new_name": "First", "new_stage": "Ready"})])
    client.records.upsert(
        "new_Project",
        [UpsertItem({"new_code": "A-1"}, {"new_size": 3}), UpsertItem({"new_code": "A-2"}, {"new_name": "Second"})],
    )
    rows = {row["new_code"]: row for row in client.records.list("new_Project")}
    assert (rows["A-1"]["new_stage"], rows["A-1"]["new_size"]) == (100000001, 3), rows
    refused(400, lambda: client.records.create("new_Project", {"new_name": "long", "new_extra": "x" * 21}))
    refused(412, lambda: client.records.create("new_Project", {"new_name": "twice", "new_code": "A-1"}))

    lookup = client.tables.create_lookup_field("new_project", "new_CustomerId", "account")
    account = client.records.create("account", {"name": "Project customer"})
    client.records.update(
        "new_Project", rows["A-1"]["new_projectid"], {"new_CustomerId@odata.bind": f"/accounts({account})"}
    )
    row = client.records.retrieve("new_Project", rows["A-1"]["new_projectid"], expand=["new_CustomerId"])
    assert row["new_CustomerId"]["name"] == "Project customer", row
    made = client.tables.create_one_to_many_relationship(
        LookupAttributeMetadata(schema_name="new_LeadId", display_name=label("Lead")),
        OneToManyRelationshipMetadata(
            schema_name="new_lead_project", referenced_entity="lead", referencing_entity="new_project",
            referenced_attribute="leadid",
        ),
    )
    found = client.tables.get_relationship("new_lead_project")
    assert found.relationship_id == made.relationship_id
    linked = client.tables.create_many_to_many_relationship(
        ManyToManyRelationshipMetadata(
            schema_name="new_project_contact", entity1_logical_name="new_project", entity2_logical_name="contact"
        )
    )
    names = [row["SchemaName"] for row in client.tables.list_table_relationships("new_Project")]
    assert {"new_lead_project", "new_project_contact"} <= set(names), names
    client.tables.delete_relationship(linked.relationship_id)
    client.tables.delete_relationship(made.relationship_id)
    client.tables.delete_relationship(lookup.relationship_id)
    assert client.tables.get_relationship("new_project_contact") is None
    client.tables.delete_alternate_key("new_Project", key.metadata_id)
    client.tables.remove_columns("new_Project", ["new_Extra"])
    client.tables.delete("new_Project")
    assert client.tables.get("new_Project") is None
    # The client still remembers the entity set.
    refused(501, lambda: client.records.create("new_Project", {"new_name": "gone"}))


def batches(client, many):
    batch = client.batch.new()
    batch.records.create("account", {"name": "Batched"})
    batch.records.retrieve("account", many[0], select=["name"])
    batch.records.update("account", many[0], {"description": "batched"})
    with batch.changeset() as changes:
        contact = changes.records.create("contact", {"lastname": "Batch"})
        account = changes.records.create("account", {"name": "With contact", "primarycontactid@odata.bind": contact})
        changes.records.update("account", account, {"telephone1": "555-0199"})
    result = batch.execute()
    assert not result.has_errors, [(r.status_code, r.error_message) for r in result.responses]
    rows = list(client.records.list("account", filter="name eq 'With contact'", expand=["primarycontactid"]))
    assert rows[0]["primarycontactid"]["lastname"] == "Batch" and rows[0]["telephone1"] == "555-0199", rows

    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("account", {"name": "undone"})
        changes.records.create("account", {"name": "x" * 161})
    batch.records.create("account", {"name": "Afterwards"})
    result = batch.execute(continue_on_error=True)
    assert len(result.failed) == 1 and len(result.succeeded) == 1, result
    assert not list(client.records.list("account", filter="name eq 'undone'"))


with DataverseClient(addresses["dataverse"], credential) as client:
    one, many = records(client)
    queries(client, one, many)
    tables(client)
    batches(client, many)
    client.records.delete("account", one)
    client.records.delete("account", many)
    assert not list(client.records.list("account", filter="contains(name,'Contoso ')"))
