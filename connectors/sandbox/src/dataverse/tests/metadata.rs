//! Metadata as data, and the service's own documents.

use serde_json::json;

use super::Crm;

#[tokio::test]
async fn tables_are_described() {
    let crm = Crm::new();
    let reply = crm
        .get("EntityDefinitions(LogicalName='opportunity')?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute")
        .await;
    assert_eq!(reply.body["EntitySetName"], "opportunities");
    assert_eq!(reply.body["PrimaryIdAttribute"], "opportunityid");
    assert!(reply.body.get("SchemaName").is_none());
    let reply = crm.get("EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true").await;
    assert!(reply.texts("LogicalName").contains(&"msft_partnercentersolution"));
    assert_eq!(crm.get("EntityDefinitions(LogicalName='nosuch')").await.status, 404);
    assert_eq!(crm.get("EntityDefinitions?$select=NoSuch").await.status, 501);
}

#[tokio::test]
async fn columns_are_described_with_types_lengths_and_levels() {
    let crm = Crm::new();
    let attributes = "EntityDefinitions(LogicalName='opportunity')/Attributes";
    let reply = crm.get(&format!("{attributes}?$select=LogicalName,AttributeType,RequiredLevel")).await;
    let find = |name: &str| reply.rows().iter().find(|row| row["LogicalName"] == name).unwrap();
    assert_eq!(find("name")["RequiredLevel"]["Value"], "ApplicationRequired");
    for (name, kind) in [
        ("opportunityid", "Uniqueidentifier"),
        ("estimatedvalue", "Money"),
        ("estimatedclosedate", "DateTime"),
        ("customerid", "Customer"),
        ("ownerid", "Owner"),
        ("parentaccountid", "Lookup"),
        ("statecode", "State"),
        ("msft_microsoftpartnercenterhelp", "Picklist"),
    ] {
        assert_eq!(find(name)["AttributeType"], kind, "{name}");
    }
    let text =
        crm.get(&format!("{attributes}(LogicalName='name')/Microsoft.Dynamics.CRM.StringAttributeMetadata")).await;
    assert_eq!(text.body["MaxLength"], 300);
    let wrong =
        crm.get(&format!("{attributes}(LogicalName='name')/Microsoft.Dynamics.CRM.MoneyAttributeMetadata")).await;
    assert_eq!(wrong.status, 404);
    let all =
        crm.get(&format!("{attributes}/Microsoft.Dynamics.CRM.BooleanAttributeMetadata?$select=LogicalName")).await;
    assert!(all.texts("LogicalName").contains(&"msft_microsoftpartnercenterreferralsync"));
}

#[tokio::test]
async fn choices_are_listed_when_expanded() {
    let crm = Crm::new();
    let address = "EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='msft_microsoftpartnercenterhelp')\
                   /Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName\
                   &$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)";
    let options = crm.get(address).await.body["OptionSet"]["Options"].clone();
    assert_eq!(options.as_array().unwrap().len(), 6);
    assert_eq!(options[0]["Value"], 299600000);
    assert_eq!(options[2]["Label"]["UserLocalizedLabel"]["Label"], "Proof of concept or demo");
    let address = "EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='statuscode')\
                   /Microsoft.Dynamics.CRM.StatusAttributeMetadata?$expand=OptionSet";
    let options = crm.get(address).await.body["OptionSet"]["Options"].clone();
    assert_eq!((&options[4]["Value"], &options[4]["State"]), (&json!(5), &json!(2)));
}

#[tokio::test]
async fn keys_and_relationships_give_the_names_to_address_and_bind_with() {
    let crm = Crm::new();
    let keys = crm.get("EntityDefinitions(LogicalName='msft_solutiondetail')/Keys").await;
    assert_eq!(keys.rows()[0]["KeyAttributes"], json!(["msft_solutionid"]));
    assert_eq!(keys.rows()[0]["EntityKeyIndexStatus"], "Active");
    let address = "EntityDefinitions(LogicalName='msft_partnercentersolution')/ManyToOneRelationships\
                   ?$select=ReferencingEntityNavigationPropertyName&$filter=ReferencingAttribute eq 'msft_opportunity'";
    let names = crm.get(address).await;
    assert_eq!(names.texts("ReferencingEntityNavigationPropertyName"), ["msft_Opportunity"]);
}

#[tokio::test]
async fn the_service_tells_its_sets_and_the_caller() {
    let crm = Crm::new();
    let sets = crm.get("").await;
    assert!(sets.texts("url").contains(&"opportunities"));
    let noor = crm.id("systemusers", "fullname eq 'Noor Haddad'").await;
    assert_eq!(crm.get("WhoAmI").await.body["UserId"], noor);
    assert_eq!(crm.get("WhoAmI()").await.status, 200);
}
