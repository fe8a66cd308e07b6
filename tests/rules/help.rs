//! "How can Microsoft help?" and the deal's visibility to Microsoft's sellers: both go one way only.

use serde_json::{Value, json};

use crate::support::desk::{Desk, HELP, VISIBLE, says, text};

const CONSENT: &str = "consentToShareReferralWithMicrosoftSellers";

/// The answers to "How can Microsoft help?", in the order of the documentation, with Partner Center's codes.
const CODES: [(u32, &str); 6] = [
    (299_600_000, "WorkloadSpecificValueProposition"),
    (299_600_001, "CustomerTechnicalArchitecture"),
    (299_600_002, "ProofOfConceptOrDemo"),
    (299_600_003, "QuotesOrLicensing"),
    (299_600_004, "PostSalesCustomerSuccess"),
    (299_600_005, "GeneralOrOther"),
];

fn kind(referral: &Value) -> (&Value, &Value) {
    (&referral["type"], &referral["consent"][CONSENT])
}

#[test]
fn a_deal_without_help_stays_between_partner_and_customer() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let referrals = desk.stage.referrals();
    assert_eq!(referrals.len(), 1);
    assert_eq!(kind(&referrals[0]), (&json!("Independent"), &json!(false)));
    assert_eq!(referrals[0]["externalReferenceId"], opportunity);
    assert_eq!(referrals[0]["id"], referral);
}

#[test]
fn a_visible_deal_without_help_is_partner_led() {
    let desk = Desk::new();
    desk.sent(&json!({ VISIBLE: true }));
    let referrals = desk.stage.referrals();
    assert_eq!(referrals.len(), 1, "Microsoft sees it, and is not asked in");
    assert_eq!(kind(&referrals[0]), (&json!("Independent"), &json!(true)));
}

#[test]
fn asking_for_help_invites_microsoft_into_the_same_engagement() {
    let desk = Desk::new();
    let (_, referral) = desk.sent(&json!({ HELP: 299_600_001 }));
    assert_eq!(desk.stage.referrals().len(), 2);
    let own = desk.referral(&referral);
    assert_eq!(kind(&own), (&json!("Shared"), &json!(true)));
    assert_eq!(own["inviteContext"]["assistanceRequestCode"], "CustomerTechnicalArchitecture");
    assert_eq!(desk.microsofts_side(&referral)["engagementId"], own["engagementId"]);
}

#[test]
fn each_answer_to_how_can_microsoft_help_has_its_code() {
    let desk = Desk::new();
    for (choice, code) in CODES {
        let (_, referral) = desk.sent(&json!({ HELP: choice }));
        assert_eq!(desk.referral(&referral)["inviteContext"]["assistanceRequestCode"], code);
    }
}

#[test]
fn a_deal_with_help_is_visible_whatever_its_seller_chose() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({ HELP: 299_600_001, VISIBLE: false }));
    assert_eq!(desk.referral(&referral)["consent"][CONSENT], true);
    desk.receive(&referral).ends_well();
    assert_eq!(desk.row(&opportunity)[VISIBLE], true, "the CRM says so too");
}

#[test]
fn filling_help_later_makes_a_co_sell_deal_of_a_private_or_partner_led_one() {
    for visible in [false, true] {
        let desk = Desk::new();
        let (opportunity, referral) = desk.sent(&json!({ VISIBLE: visible }));
        desk.edit(&opportunity, &json!({ HELP: 299_600_003 }));
        desk.saved(&opportunity).gives("updated");
        let own = desk.referral(&referral);
        assert_eq!(kind(&own), (&json!("Shared"), &json!(true)));
        assert_eq!(desk.microsofts_side(&referral)["inviteContext"]["assistanceRequestCode"], "QuotesOrLicensing");
        says(&desk.newest(&opportunity), &["Microsoft"]);

        desk.saved(&opportunity).ends_well();
        desk.receive(&referral).ends_well();
        assert_eq!(desk.stage.referrals().len(), 2, "asked once");
        assert_eq!(desk.row(&opportunity)[HELP], 299_600_003);
    }
}

#[test]
fn filling_help_later_without_a_contact_is_refused() {
    let desk = Desk::new();
    let (opportunity, _) = desk.sent(&json!({ "parentcontactid@odata.bind": null }));
    desk.edit(&opportunity, &json!({ HELP: 299_600_003 }));
    desk.send(&opportunity).fails("not_sent");
    says(&desk.newest(&opportunity), &["contact is required"]);
    assert_eq!(desk.row(&opportunity)["name"], "✖ Northwind warehouse rollout");
    assert_eq!(desk.stage.referrals().len(), 1);
}

#[test]
fn help_once_asked_cannot_be_withdrawn() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({ HELP: 299_600_001 }));
    desk.edit(&opportunity, &json!({ HELP: null, "estimatedvalue": 91_000 }));
    desk.send(&opportunity).ends_well();
    let own = desk.referral(&referral);
    assert_eq!(own["inviteContext"]["assistanceRequestCode"], "CustomerTechnicalArchitecture");
    assert_eq!(own["details"]["dealValue"], 91_000.0, "everything else is sent");
    says(&desk.newest(&opportunity), &["help"]);
    assert_eq!(desk.writes(|| desk.send(&opportunity).ends_well()), 0, "it is said once");
}

#[test]
fn another_kind_of_help_cannot_be_asked_for_afterwards() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({ HELP: 299_600_001 }));
    desk.edit(&opportunity, &json!({ HELP: 299_600_002 }));
    desk.send(&opportunity).ends_well();
    let own = desk.referral(&referral);
    assert_eq!(own["inviteContext"]["assistanceRequestCode"], "CustomerTechnicalArchitecture");
    assert_eq!(desk.stage.referrals().len(), 2);
    assert_eq!(desk.writes(|| desk.send(&opportunity).ends_well()), 0);
}

#[test]
fn a_private_deal_can_be_made_visible_later() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ VISIBLE: true }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(kind(&desk.referral(&referral)), (&json!("Independent"), &json!(true)));
    assert_eq!(desk.stage.referrals().len(), 1);
}

#[test]
fn a_deal_made_visible_in_partner_center_is_visible_in_the_crm() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.portal(&referral, &json!({ "consent": { CONSENT: true } }));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.row(&opportunity)[VISIBLE], true);
}

#[test]
fn visibility_cannot_be_taken_back_and_the_crm_is_put_right() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({ VISIBLE: true }));
    desk.edit(&opportunity, &json!({ VISIBLE: false, "estimatedvalue": 91_000 }));
    desk.send(&opportunity).ends_well();
    let own = desk.referral(&referral);
    assert_eq!(own["consent"][CONSENT], true);
    assert_eq!(own["details"]["dealValue"], 91_000.0, "everything else is sent");
    desk.receive(&referral).ends_well();
    assert_eq!(desk.row(&opportunity)[VISIBLE], true);
}

#[test]
fn a_private_deal_of_the_portal_becomes_co_sell_by_filling_help_in_the_crm() {
    let desk = Desk::new();
    let referral = desk.made_in_portal(&json!({}));
    let ran = desk.receive(&referral).gives("created");
    let opportunity = text(&ran.output["opportunity_id"]);
    desk.edit(opportunity, &json!({ HELP: 299_600_005 }));
    desk.saved(opportunity).gives("updated");
    assert_eq!(desk.microsofts_side(&referral)["inviteContext"]["assistanceRequestCode"], "GeneralOrOther");
}

#[test]
fn help_asked_for_later_in_the_portal_is_chosen_in_the_crm_and_not_asked_again() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.portal(&referral, &json!({ "consent": { CONSENT: true } }));
    let mut invitation = desk.referral(&referral);
    for server_owned in ["id", "eTag", "links", "organizationId", "organizationName"] {
        invitation.as_object_mut().unwrap().remove(server_owned);
    }
    invitation["type"] = json!("Shared");
    invitation["target"] = json!([{ "type": "BusinessProfileLocation", "id": "msft" }]);
    invitation["inviteContext"] = json!({ "assistanceRequestCode": "ProofOfConceptOrDemo", "notes": "Please join." });
    desk.stage.control("POST", "/partner/referrals", &invitation);
    desk.receive(&referral).gives("updated");
    let row = desk.row(&opportunity);
    assert_eq!((&row[HELP], &row[VISIBLE]), (&json!(299_600_002), &json!(true)));
    assert_eq!(desk.writes(|| desk.saved(&opportunity).gives("equal")), 0);
    assert_eq!(desk.stage.referrals().len(), 2);
}
