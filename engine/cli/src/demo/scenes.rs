//! What happens in the demo. The data are real in shape: published samples, told anew.

use cosell_model::Value;
use serde_json::json;

use super::Stage;
use super::people::People;
use super::story::Story;
use crate::Trouble;

/// The seller in the CRM.
const SELLER: &str = "Noor Haddad";

/// Plays all scenes; after each, everything comes to rest before the next begins.
pub(super) async fn play(stage: &Stage, story: &mut Story) -> Result<(), Trouble> {
    let people = &stage.people;

    story.scene("A Microsoft seller shares a deal", "it becomes an opportunity, with its account and contact");
    let referral = shared_deal(people).await?;
    rest(stage, story).await?;

    story.scene("A seller in the CRM asks Microsoft for help", "the opportunity becomes a co-sell referral");
    let opportunity = own_deal(people).await?;
    rest(stage, story).await?;

    story.scene("The Microsoft seller changes the first deal", "value, closing date and notes follow in the CRM");
    let changes = json!({ "details": {
        "dealValue": 131_500, "closingDateTime": "2027-03-31T00:00:00Z",
        "notes": "Two more sites since the last call; the customer decides in March.",
    } });
    people.change(&referral, &changes).await?;
    rest(stage, story).await?;

    story.scene("The CRM seller takes the first deal on", "putting it in progress accepts the referral");
    let taken = opportunity_of(stage, &referral).await?;
    people.update(SELLER, "opportunities", &taken, &json!({ "statuscode": 1 })).await?;
    rest(stage, story).await?;

    story.scene("The CRM seller changes the second deal", "value, closing date and notes follow in Partner Center");
    let changes = json!({
        "estimatedvalue": 96_500, "estimatedclosedate": "2027-02-26",
        "description": "Pilot went well. The customer wants all three cold stores on it.",
    });
    people.update(SELLER, "opportunities", &opportunity, &changes).await?;
    rest(stage, story).await?;

    story.scene("Microsoft accepts the second deal", "its identifier at Microsoft and a line in Audit appear");
    people.accept(&engagement_of(stage, &opportunity).await?).await?;
    rest(stage, story).await?;

    story.scene("The CRM seller adds a solution to the second deal", "the referral gets it too");
    people.create(SELLER, "msft_partnercentersolutions", &solution("DockPlan", "SOL-50377-TRX", &opportunity)).await?;
    rest(stage, story).await?;

    story.scene("The Microsoft seller closes the first deal as won", "the opportunity is won");
    people.change(&referral, &json!({ "status": "Closed", "substatus": "Won" })).await?;
    rest(stage, story).await
}

async fn rest(stage: &Stage, story: &mut Story) -> Result<(), Trouble> {
    stage.settle().await?;
    story.tell(&stage.people.log(story.told()).await?, &stage.runs);
    Ok(())
}

/// A Microsoft seller shares the first deal; its referral.
pub(super) async fn shared_deal(people: &People) -> Result<String, Trouble> {
    let shared = people.share(&first_deal()).await?;
    Ok(shared["id"].as_str().unwrap_or_default().to_owned())
}

fn first_deal() -> Value {
    json!({
        "name": "Contoso Foods: analytics for 40 stores",
        "customerProfile": {
            "name": "Contoso Foods Ltd",
            "address": {
                "addressLine1": "12 Harbour Road", "addressLine2": "", "city": "Cork", "state": "Munster",
                "postalCode": "T12 XY34", "country": "IE",
            },
            "team": [{
                "firstName": "Aoife", "lastName": "Byrne", "phoneNumber": "+353215550144",
                "email": "aoife.byrne@contosofoods.example",
            }],
        },
        "details": {
            "dealValue": 120_000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z",
            "notes": "Wants one dashboard for all stores.",
        },
    })
}

/// Creates the second deal as a seller would: first the opportunity, then its solution, then "Sync" set to Yes. The
/// opportunity.
pub(super) async fn own_deal(people: &People) -> Result<String, Trouble> {
    let missing = |what: &str| Trouble::new(format!("the sandbox's seed has no {what}"));
    let accounts = people.rows("accounts").await?;
    let account =
        accounts.iter().find(|row| row["name"] == "Northwind Cold Storage BV").ok_or_else(|| missing("account"))?;
    let contacts = people.rows("contacts").await?;
    let contact = contacts.iter().find(|row| row["lastname"] == "de Wit").ok_or_else(|| missing("contact"))?;
    let currencies = people.rows("transactioncurrencies").await?;
    let euro = currencies.iter().find(|row| row["isocurrencycode"] == "EUR").ok_or_else(|| missing("currency"))?;
    let bind = |set: &str, row: &Value, key: &str| json!(format!("/{set}({})", row[key].as_str().unwrap_or_default()));
    let opportunity = json!({
        "name": "Northwind warehouse rollout",
        "estimatedvalue": 84_000,
        "estimatedclosedate": "2027-01-29",
        "description": "Wants ColdTrack in three cold stores.",
        "msft_microsoftpartnercenterhelp": 299_600_001,
        "customerid_account@odata.bind": bind("accounts", account, "accountid"),
        "parentaccountid@odata.bind": bind("accounts", account, "accountid"),
        "parentcontactid@odata.bind": bind("contacts", contact, "contactid"),
        "transactioncurrencyid@odata.bind": bind("transactioncurrencies", euro, "transactioncurrencyid"),
    });
    let id = people.create(SELLER, "opportunities", &opportunity).await?;
    people.create(SELLER, "msft_partnercentersolutions", &solution("ColdTrack", "SOL-48120-KQP", &id)).await?;
    let sync = json!({ "msft_microsoftpartnercenterreferralsync": true });
    people.update(SELLER, "opportunities", &id, &sync).await?;
    Ok(id)
}

fn solution(name: &str, id: &str, opportunity: &str) -> Value {
    json!({
        "msft_name": name, "msft_solutionid": id, "msft_type": "Name",
        "msft_Opportunity@odata.bind": format!("/opportunities({opportunity})"),
    })
}

async fn engagement_of(stage: &Stage, opportunity: &str) -> Result<String, Trouble> {
    let referrals = stage.people.referrals().await?;
    let found = referrals.iter().find(|referral| referral["externalReferenceId"] == opportunity);
    let engagement = found.and_then(|referral| referral["engagementId"].as_str());
    engagement.map(str::to_owned).ok_or_else(|| Trouble::new("the second deal did not reach Partner Center"))
}

async fn opportunity_of(stage: &Stage, referral: &str) -> Result<String, Trouble> {
    let rows = stage.people.rows("opportunities").await?;
    let found = rows.iter().find(|row| row["msft_microsoftpartnercenterreferralidentifier"] == referral);
    let id = found.and_then(|row| row["opportunityid"].as_str());
    id.map(str::to_owned).ok_or_else(|| Trouble::new("the shared deal did not reach the CRM"))
}
