//! The two scenarios with which the documentation has the connector tried out ("Co-sell connector for Dynamics 365 CRM",
//! End-to-end bi-directional co-sell referral synchronization), step by step. Each step that a person does is one comment.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::desk::{Desk, HELP, IDENTIFIER, LINK, MICROSOFT_ID, SOLUTIONS, SYNC, VISIBLE, says, text};

/// Scenario 1: a referral is created or updated in the CRM and synchronised in Partner Center.
#[test]
fn scenario_1_a_deal_created_in_the_crm_goes_to_partner_center() {
    let desk = Desk::new();

    // 1. and 2. A seller signs in to the CRM and creates a new opportunity, which has the section of Microsoft Partner Center.
    let opportunity = desk.stage.opportunity(&json!({ SYNC: false }));
    let row = desk.row(&opportunity);
    for column in [SYNC, IDENTIFIER, LINK, HELP, VISIBLE, MICROSOFT_ID] {
        assert!(row.get(column).is_some(), "{column}");
    }
    desk.saved_unheard(&opportunity);
    assert!(desk.stage.referrals().is_empty(), "nothing leaves before it is told to");

    // 3. To synchronise it, the seller sets Sync with Partner Center to Yes and says how Microsoft can help ...
    desk.edit(&opportunity, &json!({ SYNC: true, HELP: 299_600_001 }));
    // ... and adds a row to Microsoft Partner Center Solutions, which the CRM saves after the opportunity.
    desk.saved(&opportunity).fails("not_sent");
    let solution = desk.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
    desk.solution_saved(&solution).ends_well();

    // 4. In Partner Center, the referral is there, and Microsoft has been asked in.
    let row = desk.row(&opportunity);
    let referral = text(&row[IDENTIFIER]).to_owned();
    let deal = desk.referral(&referral);
    assert_eq!((&deal["name"], &deal["type"]), (&json!("Northwind warehouse rollout"), &json!("Shared")));
    assert_eq!(deal["details"]["dealValue"], 84_000.0);
    assert_eq!(deal["details"]["currency"], "EUR");
    assert_eq!(deal["inviteContext"]["assistanceRequestCode"], "CustomerTechnicalArchitecture");
    assert_eq!(desk.solution_tags(&referral), ["SOL-48120-KQP"]);
    let microsoft = desk.microsofts_side(&referral);
    assert_eq!(microsoft["substatus"], "Pending");
    // The CRM shows where: Referral Identifier, Referral Link, and success in Audit.
    assert!(text(&row[LINK]).contains(&referral));
    says(&desk.newest(&opportunity), &["sent to Partner Center"]);

    // Microsoft accepts: its CRM identifier and the news appear in the CRM.
    let engagement = text(&deal["engagementId"]);
    desk.stage.control("POST", &format!("/seller/engagements/{engagement}/accept"), &Value::Null);
    desk.reported("related-referral-updated", text(&microsoft["id"])).gives("updated");
    assert!(desk.row(&opportunity)[MICROSOFT_ID].is_string());
    says(&desk.audit(&opportunity).join("\n"), &["Microsoft", "accepted"]);

    // 5. Likewise, when the seller updates the opportunity, the changes are synchronised in Partner Center ...
    desk.later();
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000, "estimatedclosedate": "2027-03-15" }));
    desk.saved(&opportunity).gives("updated");
    let details = desk.referral(&referral)["details"].clone();
    assert_eq!(details["dealValue"], 91_000.0);
    assert_eq!(details["closingDateTime"], "2027-03-15T00:00:00Z");
    // ... and what is changed there comes back.
    desk.later();
    desk.portal(&referral, &json!({ "details": { "notes": "Microsoft brings the architect on Monday." } }));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.row(&opportunity)["description"], "Microsoft brings the architect on Monday.");

    // 6. Opportunities that were synchronised are marked ✔; the mark stays in the CRM.
    assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
    assert_eq!(desk.referral(&referral)["name"], "Northwind warehouse rollout");

    // The seller wins the deal.
    desk.close(&opportunity, 3);
    desk.saved(&opportunity).gives("updated");
    let won = desk.referral(&referral);
    assert_eq!((&won["status"], &won["substatus"]), (&json!("Closed"), &json!("Won")));

    // Nothing is left to do, and nothing was doubled.
    let quiet = desk.writes(|| {
        desk.saved(&opportunity).ends_well();
        desk.receive(&referral).ends_well();
        desk.reported("related-referral-updated", text(&microsoft["id"])).ends_well();
    });
    assert_eq!((quiet, desk.stage.referrals().len(), desk.rows("opportunities").len()), (0, 2, 1));
}

/// Scenario 2: a referral is created or updated in Partner Center and synchronised in the CRM.
#[test]
fn scenario_2_a_deal_shared_by_microsoft_arrives_in_the_crm() {
    let desk = Desk::new();

    // 1. to 3. In Partner Center, a new co-sell referral appears: a Microsoft seller shares a deal with the partner.
    let referral = desk.shared(&json!({ "details": { "closingDateTime": "2027-02-26T00:00:00Z" } }));
    let ran = desk.reported("referral-created", &referral).gives("created");

    // 4. and 5. In the CRM, it stands among the open opportunities, on hold until somebody answers.
    let opportunity = text(&ran.output["opportunity_id"]).to_owned();
    let row = desk.row(&opportunity);
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(0), &json!(2)));

    // 6. Its details are filled in.
    assert_eq!(row["name"], "✔ Tailwind stock rooms");
    assert_eq!((&row[SYNC], &row[IDENTIFIER], &row[VISIBLE]), (&json!(true), &json!(referral), &json!(true)));
    assert_eq!((&row["estimatedvalue"], &row["estimatedclosedate"]), (&json!(50_000.0), &json!("2027-02-26")));
    assert_eq!(desk.solution_rows(&opportunity), ["SOL-48120-KQP"]);
    assert_eq!(desk.rows(SOLUTIONS).len(), 1);
    says(&desk.newest(&opportunity), &["created from Partner Center"]);
    // The deal in Partner Center shows the id in the CRM.
    assert_eq!(desk.referral(&referral)["externalReferenceId"], opportunity);

    // The seller takes it on: in progress in the CRM is accepted in Partner Center.
    desk.later();
    desk.edit(&opportunity, &json!({ "statuscode": 1 }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.referral(&referral)["substatus"], "Accepted");

    // Both work on it: the Microsoft seller on the value, the partner's on the notes.
    desk.later();
    desk.seller(&referral, &json!({ "details": { "dealValue": 61_000 } }));
    desk.edit(&opportunity, &json!({ "description": "First stores in March." }));
    desk.receive(&referral).ends_well();
    desk.saved(&opportunity).ends_well();
    assert_eq!(desk.row(&opportunity)["estimatedvalue"], 61_000.0);
    assert_eq!(desk.referral(&referral)["details"]["notes"], "First stores in March.");

    // Won in Partner Center, and so in the CRM.
    desk.later();
    desk.portal(&referral, &json!({ "status": "Closed", "substatus": "Won" }));
    desk.receive(&referral).gives("updated");
    let row = desk.row(&opportunity);
    assert_eq!((&row["statecode"], &row["statuscode"], &row["actualvalue"]), (&json!(1), &json!(3), &json!(61_000.0)));

    // Nothing is left to do, and nothing was doubled.
    let quiet = desk.writes(|| {
        desk.saved(&opportunity).ends_well();
        desk.receive(&referral).ends_well();
    });
    assert_eq!((quiet, desk.stage.referrals().len(), desk.rows("opportunities").len()), (0, 1, 1));
}

/// Scenario 2 to the letter: somebody of the partner uses "New deal" in Partner Center, and asks Microsoft for help.
#[test]
fn scenario_2_a_deal_made_with_new_deal_in_partner_center_arrives_in_the_crm() {
    let desk = Desk::new();

    // 1. to 3. Somebody signs in to Partner Center, selects Referrals and creates a new co-sell referral by "New deal".
    let consent = json!({
        "consentToToShareInfoWithOthers": true, "consentToContact": true,
        "consentToShareReferralWithMicrosoftSellers": true,
    });
    let help = json!({ "assistanceRequestCode": "ProofOfConceptOrDemo" });
    let referral = desk.made_in_portal(&json!({ "type": "Shared", "consent": consent, "inviteContext": help }));

    // 4. and 5. In the CRM, it stands among the open opportunities.
    let ran = desk.reported("referral-created", &referral).gives("created");
    let opportunity = text(&ran.output["opportunity_id"]).to_owned();
    let row = desk.row(&opportunity);
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(0), &json!(1)));

    // 6. Its details are filled in.
    assert_eq!(row["name"], "✔ Tailwind cold rooms");
    assert_eq!((&row[SYNC], &row[IDENTIFIER], &row[HELP]), (&json!(true), &json!(referral), &json!(299_600_002)));
    assert_eq!(desk.solution_rows(&opportunity), ["SOL-48120-KQP"]);
}
