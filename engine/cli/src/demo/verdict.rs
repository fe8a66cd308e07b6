//! Whether both sides agree in the end: looked up in the stand-ins themselves.

use cosell_model::Value;

use super::people::People;
use crate::Trouble;

/// Everything that is not as it should be.
pub(super) async fn disagreements(people: &People) -> Result<Vec<String>, Trouble> {
    let referrals = people.referrals().await?;
    let opportunities = people.rows("opportunities").await?;
    let accounts = people.rows("accounts").await?;
    let contacts = people.rows("contacts").await?;
    let mut wrong = Vec::new();
    let mut count = |what: &str, found: usize, expected: usize| {
        if found != expected {
            wrong.push(format!("{found} {what} instead of {expected}"));
        }
    };
    let own: Vec<&Value> = referrals.iter().filter(|referral| referral["organizationId"] != "msft").collect();
    count("referrals of the partner", own.len(), 2);
    count("referrals of Microsoft", referrals.len() - own.len(), 1);
    count("opportunities", opportunities.len(), 2);
    let named = |rows: &[Value], column: &str, name: &str| rows.iter().filter(|row| row[column] == name).count();
    count("accounts of the new customer", named(&accounts, "name", "Contoso Foods Ltd"), 1);
    count("contacts of the new customer", named(&contacts, "lastname", "Byrne"), 1);
    for referral in own {
        pair(referral, &opportunities, &mut wrong);
    }
    solutions(&people.rows("msft_partnercentersolutions").await?, &referrals, &mut wrong);
    Ok(wrong)
}

/// One deal on both sides.
fn pair(referral: &Value, opportunities: &[Value], wrong: &mut Vec<String>) {
    let name = referral["name"].as_str().unwrap_or_default();
    let linked = opportunities.iter().find(|row| row["opportunityid"] == referral["externalReferenceId"]);
    let Some(opportunity) = linked else {
        wrong.push(format!("“{name}” names no opportunity"));
        return;
    };
    let details = &referral["details"];
    let mut same = |what: &str, there: &Value, here: &Value| {
        if there != here {
            wrong.push(format!("“{name}”: {what} is {there} in Partner Center and {here} in the CRM"));
        }
    };
    same("the referral's id", &referral["id"], &opportunity["msft_microsoftpartnercenterreferralidentifier"]);
    let amount = |value: &Value| Value::from(value.as_f64());
    same("the value", &amount(&details["dealValue"]), &amount(&opportunity["estimatedvalue"]));
    let day = |value: &Value| Value::from(value.as_str().map(|text| text.chars().take(10).collect::<String>()));
    same("the closing date", &day(&details["closingDateTime"]), &day(&opportunity["estimatedclosedate"]));
    same("the notes", &details["notes"], &opportunity["description"]);
    let won = Value::from(referral["substatus"] == "Won");
    same("won", &won, &Value::from(opportunity["statecode"] == 1));
}

/// The solutions of all deals on both sides.
fn solutions(rows: &[Value], referrals: &[Value], wrong: &mut Vec<String>) {
    for referral in referrals.iter().filter(|referral| referral["organizationId"] != "msft") {
        let list = referral["details"]["requirements"]["solutions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut there: Vec<&Value> = list.iter().map(|solution| &solution["id"]).collect();
        let of_deal = rows.iter().filter(|row| row["_msft_opportunity_value"] == referral["externalReferenceId"]);
        let mut here: Vec<&Value> = of_deal.map(|row| &row["msft_solutionid"]).collect();
        there.sort_by_key(|id| id.to_string());
        here.sort_by_key(|id| id.to_string());
        if there != here {
            wrong.push(format!(
                "{}: its solutions are {there:?} in Partner Center and {here:?} in the CRM",
                referral["name"]
            ));
        }
    }
}
