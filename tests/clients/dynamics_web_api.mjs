// DynamicsWebApi, an OData client for Dataverse that has nothing to do with cosell, unmodified, against the sandbox.
//
// Reads the line that `cosell sandbox --json` prints from standard input; exits with 0 when everything worked. The
// certificate authority comes from NODE_EXTRA_CA_CERTS.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// From the folder the test runs in, where the package is installed.
const { DynamicsWebApi } = createRequire(join(process.cwd(), "index.js"))("dynamics-web-api");

const addresses = JSON.parse(readFileSync(0, "utf8"));

async function token() {
  const answer = await fetch(`${addresses.entra}/${addresses.tenant}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: addresses.client_id,
      client_secret: addresses.client_secret,
      scope: `${addresses.dataverse}/.default`,
    }),
  });
  return (await answer.json()).access_token;
}

const api = new DynamicsWebApi({
  serverUrl: addresses.dataverse,
  dataApi: { version: "9.2" },
  onTokenRefresh: token,
});

async function refused(status, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status, error.message);
    return true;
  });
}

// Rows
const id = await api.create({ collection: "accounts", data: { name: "Adatum", revenue: 5000 } });
const whole = await api.create({
  collection: "contacts",
  data: { lastname: "Alvarez", "parentcustomerid_account@odata.bind": `/accounts(${id})` },
  returnRepresentation: true,
});
assert.equal(whole._parentcustomerid_value, id);
const row = await api.retrieve({
  collection: "accounts",
  key: id,
  select: ["name", "revenue"],
  includeAnnotations: "*",
  expand: [{ property: "contact_customer_accounts", select: ["lastname"], filter: "lastname ne null", top: 1 }],
});
assert.equal(row.revenue_Formatted, "$5,000.00");
assert.equal(row.contact_customer_accounts[0].lastname, "Alvarez");
await api.update({ collection: "accounts", key: id, data: { telephone1: "555-0100" } });
// The client makes `false` of 412.
assert.equal(await api.update({ collection: "accounts", key: id, data: { name: "x" }, ifmatch: 'W/"1"' }), false);
await refused(404, api.retrieve({ collection: "accounts", key: "00000000-0000-0000-0000-000000000001" }));
await refused(400, api.create({ collection: "accounts", data: { nosuch: 1 } }));
await api.updateSingleProperty({ collection: "accounts", key: id, fieldValuePair: { websiteurl: "https://adatum.example" } });
const lookup = { collection: "accounts", primaryKey: id, navigationProperty: "primarycontactid" };
await api.associateSingleValued({ ...lookup, relatedCollection: "contacts", relatedKey: whole.contactid });
assert.equal((await api.retrieve({ collection: "accounts", key: id, navigationProperty: "primarycontactid" })).lastname, "Alvarez");
await api.disassociateSingleValued(lookup);
await api.upsert({ collection: "accounts", key: "11111111-0000-4000-8000-000000000001", data: { name: "Upserted" } });

// Queries
for (let number = 1; number <= 5; number += 1) {
  await api.create({ collection: "leads", data: { subject: `Lead ${number}`, lastname: "X", numberofemployees: number } });
}
const page = await api.retrieveMultiple({
  collection: "leads", filter: "startswith(subject,'Lead')", orderBy: ["subject desc"], maxPageSize: 2, count: true,
});
assert.equal(page.value.length, 2);
assert.equal(page.oDataCount, 5);
assert.ok(page.oDataNextLink);
const all = await api.retrieveAll({ collection: "leads", filter: "startswith(subject,'Lead')", maxPageSize: 2 });
assert.equal(all.value.length, 5);
assert.equal(await api.count({ collection: "leads", filter: "numberofemployees gt 3" }), 2);
const fetched = await api.fetch({
  collection: "leads",
  fetchXml:
    "<fetch count='2'><entity name='leads'/></fetch>".replace("leads", "lead").replace(
      "<entity name='lead'/>",
      "<entity name='lead'><attribute name='subject'/><order attribute='subject'/></entity>",
    ),
  includeAnnotations: "*",
});
assert.equal(fetched.value[0].subject, "Lead 1");
assert.ok(fetched.PagingInfo.nextPage, JSON.stringify(fetched));
const tracked = await api.retrieveMultiple({ collection: "leads", select: ["subject"], trackChanges: true });
assert.ok(tracked.oDataDeltaLink);

// Functions and actions
assert.ok((await api.callFunction("WhoAmI")).UserId);
const deal = await api.create({ collection: "opportunities", data: { name: "Deal", estimatedvalue: 100 } });
await api.callAction({
  actionName: "WinOpportunity",
  action: { Status: 3, OpportunityClose: { subject: "Won", "opportunityid@odata.bind": `/opportunities(${deal})` } },
});
assert.equal((await api.retrieve({ collection: "opportunities", key: deal, select: ["statecode"] })).statecode, 1);
const lead = (await api.retrieveMultiple({ collection: "leads", filter: "subject eq 'Lead 1'" })).value[0].leadid;
const qualified = await api.callAction({
  collection: "leads", key: lead, actionName: "Microsoft.Dynamics.CRM.QualifyLead",
  action: { CreateAccount: true, CreateContact: true, CreateOpportunity: true, Status: 3 },
});
assert.equal(qualified.value.length, 3);

// Batches
api.startBatch();
const contact = api.create({ collection: "contacts", data: { lastname: "Batched" }, contentId: "1" });
const account = api.create({ collection: "accounts", data: { name: "Batched", "primarycontactid@odata.bind": "$1" }, contentId: "2" });
void contact, account;
const done = await api.executeBatch();
assert.equal(done.length, 2);
const batched = await api.retrieve({ collection: "accounts", key: done[1], expand: [{ property: "primarycontactid" }] });
assert.equal(batched.primarycontactid.lastname, "Batched");
api.startBatch();
api.create({ collection: "accounts", data: { name: "undone" } });
api.create({ collection: "accounts", data: { name: "x".repeat(161) } });
await assert.rejects(api.executeBatch());
assert.equal(await api.count({ collection: "accounts", filter: "name eq 'undone'" }), 0);

// Definitions
const table = await api.createEntity({
  data: {
    "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", SchemaName: "new_Visit", OwnershipType: "UserOwned",
    DisplayName: label("Visit"), DisplayCollectionName: label("Visits"), HasNotes: false, HasActivities: false,
    Attributes: [{
      "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", SchemaName: "new_Name", IsPrimaryName: true,
      MaxLength: 100, FormatName: { Value: "Text" }, RequiredLevel: { Value: "None" }, DisplayName: label("Name"),
    }],
  },
});
assert.ok(table);
await api.createAttribute({
  entityKey: "LogicalName='new_visit'",
  data: {
    "@odata.type": "Microsoft.Dynamics.CRM.MoneyAttributeMetadata", SchemaName: "new_Cost", Precision: 2,
    RequiredLevel: { Value: "None" }, DisplayName: label("Cost"),
  },
});
const visit = await api.create({ collection: "new_visits", data: { new_name: "First", new_cost: 12.5 } });
const seen = await api.retrieve({ collection: "new_visits", key: visit, select: ["new_cost"], includeAnnotations: "*" });
assert.equal(seen.new_cost_Formatted, "$12.50");
const entity = await api.retrieveEntity({ key: "LogicalName='new_visit'", select: ["EntitySetName", "DisplayName"] });
assert.equal(entity.DisplayName.UserLocalizedLabel.Label, "Visit");
const attributes = await api.retrieveAttributes({ entityKey: "LogicalName='new_visit'", select: ["LogicalName"] });
assert.ok(attributes.value.some((attribute) => attribute.LogicalName === "new_cost_base"));
assert.match(await api.retrieveCsdlMetadata(), /<EntityType Name="new_visit"/);
await api.deleteRecord({ collection: "new_visits", key: visit });

function label(text) {
  return { LocalizedLabels: [{ Label: text, LanguageCode: 1033 }] };
}
