//! The page about settings: what is set where, and that nothing secret is shown.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use support::{Made, text};

const FLOW: &str = "
flow: hello
title: Hello
trigger: manual
steps:
  greet: { let: { text: \"${{ vars.greeting }}\" } }
";

const VARIABLES: &str = "
variables:
  greeting: { title: <b>How</b> to greet, type: text, default: Hello, description: <script>alert(1)</script> }
  times: { title: How often, type: integer, default: 3 }
";

const CONFIGURATION: &str = "
service: { public_url: https://sync.fabrikam.example, keep_days: 30 }
connections:
  crm:
    connector: dataverse
    address: https://admin:s3cret@crm.example/api?key=s3cret
    webhook_secret: s3cret
    sign_in: { tenant: t-s3cret, client_id: c-s3cret, client_secret: s3cret }
  partner_center:
    sign_in: { tenant: { env: TENANT }, client_id: s3cret, person: true, token_key: s3cret }
  erp: { connector: http, address: { env: ADDRESS }, authentication: { basic: { user: s3cret, password: s3cret } } }
variables:
  greeting: </td><script>alert(2)</script>
  times: 3
";

#[tokio::test]
async fn settings_tell_where_they_stand_and_no_secret() {
    let files = vec![("shipped/hello.yaml", FLOW), ("shipped/variables.yaml", VARIABLES)];
    let stand = Made { files, configuration: CONFIGURATION, ..Made::default() }.stand().await;
    let page = stand.visitor().await.page("/console/settings").await;
    assert!(!page.contains("s3cret"), "a secret is shown: {page}");
    let main = page.split("<main").nth(1).unwrap();
    assert!(!main.contains("<script") && !main.contains("<b>"), "{main}");
    let text = text(&page);
    let (before, _) = text.split_once("Journal now").unwrap();
    let (_, behind) = text.split_once("Your own flows").unwrap();
    let (_, variables) = behind.split_once("Variables").unwrap();
    insta::assert_snapshot!("settings", before);
    insta::assert_snapshot!("variables", variables);
    assert!(page.contains("<tr id=\"variable-greeting\" class=\"differs\">"), "{page}");
    assert!(page.contains("<tr id=\"variable-times\">"), "what is set to the default does not differ: {page}");
}
