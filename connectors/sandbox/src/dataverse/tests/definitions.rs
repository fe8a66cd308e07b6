//! Tables, columns, keys and relationships that are defined through the metadata API, and then used.

use serde_json::{Value, json};

use super::Crm;

fn label(text: &str) -> Value {
    json!({ "LocalizedLabels": [{ "Label": text, "LanguageCode": 1033 }] })
}

fn attribute(kind: &str, name: &str, more: Value) -> Value {
    let mut body = json!({ "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "SchemaName": name,
        "DisplayName": label(name), "RequiredLevel": { "Value": "None" } });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn table(name: &str) -> Value {
    json!({ "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": name, "DisplayName": label("Visit"),
        "OwnershipType": "UserOwned",
        "Attributes": [attribute("String", "new_Name", json!({ "IsPrimaryName": true, "MaxLength": 10 }))] })
}

async fn crm() -> Crm {
    let crm = Crm::new();
    let reply = crm.post("EntityDefinitions", table("new_Visit")).await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    crm
}

const VISIT: &str = "EntityDefinitions(LogicalName='new_visit')";

#[tokio::test]
async fn a_defined_table_is_served_like_any_other() {
    let crm = crm().await;
    let visit = crm.created("new_visits", json!({ "new_name": "First" })).await;
    assert_eq!(crm.get(&visit).await.body["new_name"], "First");
    assert_eq!(crm.post("new_visits", json!({ "new_name": "x".repeat(11) })).await.refusal(), (400, "0x80044331"));
    assert_eq!(crm.post("EntityDefinitions", table("new_Visit")).await.refusal(), (400, "0x80044363"));
    assert_eq!(crm.post("EntityDefinitions", table("Visit")).await.refusal(), (400, "0x80040203"));
    let csdl = crm.get("$metadata").await;
    assert!(csdl.body.as_str().unwrap().contains("<EntityType Name=\"new_visit\""));
    assert!(crm.get("").await.texts("url").contains(&"new_visits"));
    assert_eq!(crm.send("DELETE", VISIT, &[], None).await.status, 204);
    assert_eq!(crm.get("new_visits").await.status, 501);
    assert_eq!(crm.send("DELETE", "EntityDefinitions(LogicalName='account')", &[], None).await.status, 400);
}

#[tokio::test]
async fn columns_of_every_kind_take_values_of_theirs() {
    let crm = crm().await;
    let options = json!({ "Options": [{ "Value": 1, "Label": label("One") }, { "Value": 2, "Label": label("Two") }] });
    for (kind, name, more, good, bad) in [
        ("Integer", "new_I", json!({ "MinValue": 0, "MaxValue": 5 }), json!(5), json!(6)),
        ("Decimal", "new_D", json!({ "Precision": 1 }), json!(1.5), json!(1.55)),
        ("Money", "new_M", json!({ "Precision": 2 }), json!(9.99), json!("9.99")),
        ("Double", "new_F", json!({ "Precision": 5 }), json!(0.12345), json!(true)),
        ("Boolean", "new_B", json!({}), json!(true), json!(1)),
        ("Memo", "new_T", json!({ "MaxLength": 3 }), json!("abc"), json!("abcd")),
        ("String", "new_U", json!({ "MaxLength": 3 }), json!("a🙂"), json!("ab🙂")),
        ("DateTime", "new_Day", json!({ "Format": "DateOnly" }), json!("2026-05-01"), json!("2026-05-01T00:00:00Z")),
        ("DateTime", "new_At", json!({}), json!("2026-05-01T00:00:00Z"), json!("soon")),
        ("Picklist", "new_P", json!({ "OptionSet": options }), json!(2), json!(3)),
        ("MultiSelectPicklist", "new_Ps", json!({ "OptionSet": options }), json!("1,2"), json!("1,3")),
    ] {
        let body = attribute(kind, name, more);
        assert_eq!(crm.post(&format!("{VISIT}/Attributes"), body.clone()).await.status, 204, "{name}");
        assert_eq!(crm.post(&format!("{VISIT}/Attributes"), body).await.status, 400, "{name} twice");
        let column = name.to_lowercase();
        let visit = crm.created("new_visits", json!({ "new_name": "V", &column: good })).await;
        assert_eq!(crm.get(&visit).await.body[&column], good, "{name}");
        assert_eq!(crm.post("new_visits", json!({ "new_name": "V", &column: bad })).await.status, 400, "{name}");
    }
    let contains =
        "new_visits?$filter=Microsoft.Dynamics.CRM.ContainValues(PropertyName='new_ps',PropertyValues=['2'])";
    assert_eq!(crm.get(contains).await.rows().len(), 1);
    assert_eq!(crm.send("DELETE", &format!("{VISIT}/Attributes(LogicalName='new_i')"), &[], None).await.status, 204);
    assert_eq!(crm.get("new_visits?$select=new_i").await.status, 400);
    assert_eq!(crm.post(&format!("{VISIT}/Attributes"), attribute("File", "new_X", json!({}))).await.status, 501);
}

#[tokio::test]
async fn keys_name_rows_and_hold_them_apart() {
    let crm = crm().await;
    let keys = format!("{VISIT}/Keys");
    let key = json!({ "SchemaName": "new_name_key", "KeyAttributes": ["new_name"] });
    for name in ["A", "A"] {
        crm.created("new_visits", json!({ "new_name": name })).await;
    }
    assert_eq!(crm.post(&keys, key.clone()).await.refusal(), (412, "0x80060892"));
    let first = crm.id("new_visits", "new_name eq 'A'").await;
    crm.send("DELETE", &format!("new_visits({first})"), &[], None).await;
    assert_eq!(crm.post(&keys, key).await.status, 204);
    assert_eq!(crm.get(&keys).await.rows()[0]["EntityKeyIndexStatus"], "Active");
    assert_eq!(crm.patch("new_visits(new_name='B')", json!({})).await.status, 204);
    assert_eq!(crm.get("new_visits(new_name='B')").await.status, 200);
    assert_eq!(crm.post("new_visits", json!({ "new_name": "B" })).await.refusal(), (412, "0x80060892"));
    let deleted = crm.send("DELETE", &format!("{keys}(LogicalName='new_name_key')"), &[], None).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(crm.post("new_visits", json!({ "new_name": "B" })).await.status, 204);
}

#[tokio::test]
async fn a_lookup_binds_by_its_schema_name_and_cascades_as_defined() {
    let crm = crm().await;
    let relationship = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_account_visit",
        "ReferencedEntity": "account", "ReferencingEntity": "new_visit",
        "CascadeConfiguration": { "Delete": "Restrict" },
        "Lookup": attribute("Lookup", "new_AccountId", json!({})),
    });
    assert_eq!(crm.post("RelationshipDefinitions", relationship).await.status, 204);
    let account = crm.created("accounts", json!({ "name": "A" })).await;
    let body = json!({ "new_name": "V", "new_AccountId@odata.bind": format!("/{account}") });
    let visit = crm.created("new_visits", body).await;
    let wrong = json!({ "new_name": "V", "new_accountid@odata.bind": format!("/{account}") });
    assert_eq!(crm.post("new_visits", wrong).await.refusal(), (400, "0x80048d19"));
    assert_eq!(crm.get(&format!("{account}/new_account_visit")).await.rows().len(), 1);
    assert_eq!(crm.send("DELETE", &account, &[], None).await.status, 400);
    crm.send("DELETE", &visit, &[], None).await;
    assert_eq!(crm.send("DELETE", &account, &[], None).await.status, 204);
    let names = crm.get("EntityDefinitions(LogicalName='account')/OneToManyRelationships?$select=SchemaName").await;
    assert!(names.texts("SchemaName").contains(&"new_account_visit"));
}

#[tokio::test]
async fn many_to_many_rows_are_linked_from_both_ends() {
    let crm = crm().await;
    let relationship = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata", "SchemaName": "new_visit_contact",
        "IntersectEntityName": "new_visit_contact", "Entity1LogicalName": "new_visit", "Entity2LogicalName": "contact",
    });
    assert_eq!(crm.post("RelationshipDefinitions", relationship).await.status, 204);
    let visit = crm.created("new_visits", json!({ "new_name": "V" })).await;
    let contact = crm.id("contacts", "lastname eq 'de Wit'").await;
    let reference = json!({ "@odata.id": format!("{}/contacts({contact})", super::BASE) });
    assert_eq!(crm.post(&format!("{visit}/new_visit_contact/$ref"), reference).await.status, 204);
    assert_eq!(crm.get(&format!("contacts({contact})/new_visit_contact")).await.texts("new_name"), ["V"]);
    let expanded = crm.get(&format!("{visit}?$expand=new_visit_contact($select=lastname)")).await;
    assert_eq!(expanded.body["new_visit_contact"][0]["lastname"], "de Wit");
    let filtered = crm.get("new_visits?$filter=new_visit_contact/any(c:c/lastname eq 'de Wit')").await;
    assert_eq!(filtered.rows().len(), 1);
    let unlink = format!("{visit}/new_visit_contact({contact})/$ref");
    assert_eq!(crm.send("DELETE", &unlink, &[], None).await.status, 204);
    assert_eq!(crm.send("DELETE", &unlink, &[], None).await.status, 404);
    let named = "RelationshipDefinitions(SchemaName='new_visit_contact')";
    assert_eq!(crm.get(named).await.body["RelationshipType"], "ManyToManyRelationship");
    assert_eq!(crm.send("DELETE", named, &[], None).await.status, 204);
    assert_eq!(crm.get(&format!("{visit}/new_visit_contact")).await.status, 404);
}

#[tokio::test]
async fn columns_share_global_choices() {
    let crm = crm().await;
    let choice = json!({ "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": "new_colour",
        "DisplayName": label("Colour"), "Options": [{ "Value": 7, "Label": label("Red") }] });
    assert_eq!(crm.post("GlobalOptionSetDefinitions", choice).await.status, 204);
    let shared = crm.get("GlobalOptionSetDefinitions(Name='new_colour')").await;
    assert_eq!(shared.body["Options"][0]["Value"], 7);
    let bind = format!("/GlobalOptionSetDefinitions({})", shared.body["MetadataId"].as_str().unwrap());
    let column = attribute("Picklist", "new_Colour", json!({ "GlobalOptionSet@odata.bind": bind }));
    assert_eq!(crm.post(&format!("{VISIT}/Attributes"), column).await.status, 204);
    let address = format!(
        "{VISIT}/Attributes(LogicalName='new_colour')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata\
         ?$expand=OptionSet,GlobalOptionSet"
    );
    let shown = crm.get(&address).await.body;
    assert_eq!((&shown["GlobalOptionSet"]["Name"], &shown["OptionSet"]), (&json!("new_colour"), &Value::Null));
    let in_use = crm.send("DELETE", "GlobalOptionSetDefinitions(Name='new_colour')", &[], None).await;
    assert_eq!(in_use.status, 400);
}
