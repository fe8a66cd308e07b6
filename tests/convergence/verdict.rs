//! Whether both sides agree, looked up in the two systems and judged by rules of its own: nothing here knows the flows or
//! their mappings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::book::{Book, Deal};
use crate::case::Kind;
use crate::people::{HELP, IDENTIFIER, People, ROWS, SYNC, VISIBLE};

const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
const MICROSOFT_ID: &str = "msft_microsoftcrmidentifier";

/// What both systems have.
pub struct Facts {
    own: Vec<Value>,
    microsoft: Vec<Value>,
    opportunities: Vec<Value>,
    leads: Vec<Value>,
    solutions: Vec<Value>,
    accounts: Vec<Value>,
    contacts: Vec<Value>,
    currencies: Vec<Value>,
}

impl Facts {
    pub async fn gather(people: &People) -> Self {
        let (own, microsoft) =
            people.referrals().await.into_iter().partition(|referral| referral["organizationId"] != "msft");
        Self {
            own,
            microsoft,
            opportunities: people.rows("opportunities").await,
            leads: people.rows("leads").await,
            solutions: people.rows(ROWS).await,
            accounts: people.rows("accounts").await,
            contacts: people.rows("contacts").await,
            currencies: people.rows("transactioncurrencies").await,
        }
    }

    /// Everything that is not as it should be.
    pub fn wrong(&self, book: &Book) -> Vec<String> {
        let mut wrong = self.doubled(book);
        wrong.extend(self.opportunities.iter().filter_map(disordered));
        for deal in &book.deals {
            wrong.extend(self.deal(deal).into_iter().map(|what| format!("{:?} deal: {what}", deal.kind)));
        }
        wrong
    }

    /// What there is twice, and what belongs to nobody.
    fn doubled(&self, book: &Book) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut once = |what: &str, records: &[Value], key: fn(&Value) -> Option<String>| {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            records.iter().filter_map(key).for_each(|key| *seen.entry(key).or_default() += 1);
            wrong.extend(
                seen.iter().filter(|(_, times)| **times > 1).map(|(key, times)| format!("{times} {what} {key}")),
            );
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        once("referrals of the CRM record", &self.own, |referral| text_of(referral, "externalReferenceId"));
        once("referrals of Microsoft in the engagement", &self.microsoft, |referral| text_of(referral, "engagementId"));
        once("opportunities of the referral", &self.opportunities, |row| text_of(row, IDENTIFIER));
        once("opportunities of the lead", &self.opportunities, |row| text_of(row, "_originatingleadid_value"));
        once("accounts", &self.accounts, |row| Some(format!("{} {}", row["name"], row["address1_postalcode"])));
        once("contacts", &self.contacts, |row| {
            Some(format!("{} {}", row["emailaddress1"], row["_parentcustomerid_value"]))
        });
        once("rows of the same solution", &self.solutions, |row| {
            Some(format!("{} {}", row["_msft_opportunity_value"], row["msft_solutionid"]))
        });
        let referrals: Vec<String> = self.own.iter().filter_map(|referral| text(&referral["id"])).collect();
        let made_there = |id: &Value| book.deals.iter().any(|deal| deal.referral.as_deref() == id.as_str());
        let made_here = |id: &Value| book.deals.iter().any(|deal| deal.opportunity.as_deref() == id.as_str());
        for referral in self.own.iter().filter(|referral| !made_there(&referral["id"])) {
            if !made_here(&referral["externalReferenceId"]) {
                wrong.push(format!("the referral {} belongs to nobody", referral["id"]));
            }
        }
        for row in self.opportunities.iter().filter(|row| !made_here(&row["opportunityid"])) {
            if text(&row[IDENTIFIER]).is_none_or(|id| !referrals.contains(&id)) {
                wrong.push(format!("the opportunity {} belongs to nobody", row["opportunityid"]));
            }
        }
        for lead in &self.leads {
            let named = self.own.iter().any(|referral| referral["externalReferenceId"] == lead["leadid"]);
            let qualified = self.opportunities.iter().any(|row| row["_originatingleadid_value"] == lead["leadid"]);
            if !named && !qualified {
                wrong.push(format!("the lead {} belongs to nobody", lead["leadid"]));
            }
        }
        wrong
    }

    fn deal(&self, deal: &Deal) -> Vec<String> {
        let referral = self.own.iter().find(|referral| match (&deal.referral, &deal.opportunity) {
            (Some(id), _) => referral["id"] == **id,
            (None, id) => referral["externalReferenceId"].as_str() == id.as_deref(),
        });
        let row = self.opportunities.iter().find(|row| match (&deal.opportunity, &deal.referral) {
            (Some(id), _) => row["opportunityid"] == **id,
            (None, id) => row[IDENTIFIER].as_str() == id.as_deref(),
        });
        match (referral, row) {
            (None, None) => vec!["it is gone".to_owned()],
            (None, Some(row)) => self.not_sent(row),
            (Some(referral), None) => self.without_opportunity(deal, referral),
            (Some(referral), Some(row)) => self.pair(deal, referral, row),
        }
    }

    /// What may keep an opportunity at home.
    fn not_sent(&self, row: &Value) -> Vec<String> {
        let has_solution =
            self.solutions.iter().any(|solution| solution["_msft_opportunity_value"] == row["opportunityid"]);
        let stays =
            row[SYNC] != true || row["statecode"] != 0 || !has_solution || row["estimatedvalue"].as_f64() == Some(0.0);
        if stays { Vec::new() } else { vec!["it was not sent".to_owned()] }
    }

    /// A lead, or a deal that was closed before it came.
    fn without_opportunity(&self, deal: &Deal, referral: &Value) -> Vec<String> {
        let closed = referral["status"] == "Closed";
        let Some(lead) = self.leads.iter().find(|lead| lead["leadid"] == referral["externalReferenceId"]) else {
            let known = !referral["externalReferenceId"].is_null();
            return if closed && !known { Vec::new() } else { vec!["it did not come to the CRM".to_owned()] };
        };
        if deal.kind != Kind::Lead {
            return vec!["it came to the CRM as a lead".to_owned()];
        }
        let mut wrong = Vec::new();
        let expected = if closed { 2 } else { 0 };
        if lead["statecode"] != expected || referral["status"] == "Active" || referral["substatus"] == "Won" {
            wrong.push(format!(
                "{} in Partner Center, the lead's state is {}",
                referral["substatus"], lead["statecode"]
            ));
        }
        let there = Fields::there(referral);
        let here = Fields {
            name: bare(&lead["subject"]),
            value: lead["estimatedamount"].as_f64(),
            currency: self.currency(lead),
            day: day(&lead["estimatedclosedate"]),
            notes: shown(&lead["description"]),
        };
        wrong.extend(there.differ(&here));
        wrong
    }

    fn currency(&self, row: &Value) -> String {
        let own = |currency: &&Value| currency["transactioncurrencyid"] == row["_transactioncurrencyid_value"];
        self.currencies.iter().find(own).map(|currency| shown(&currency["isocurrencycode"])).unwrap_or_default()
    }

    fn pair(&self, deal: &Deal, referral: &Value, row: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        if referral["externalReferenceId"] != row["opportunityid"]
            && !(referral["status"] == "Closed" && deal.kind == Kind::Lead)
        {
            wrong.push(format!("the referral names {}, not its opportunity", referral["externalReferenceId"]));
        }
        if row[IDENTIFIER] != referral["id"] && row["statecode"] == 0 {
            wrong.push(format!("the opportunity names {}, not its referral", row[IDENTIFIER]));
        }
        // What its seller keeps to himself need not agree.
        if row[SYNC] != true {
            return wrong;
        }
        let (closed_there, closed_here) = (referral["status"] == "Closed", row["statecode"] != 0);
        let (won_there, won_here) = (referral["substatus"] == "Won", row["statecode"] == 1);
        let state = format!("{} in Partner Center, {} in the CRM", referral["substatus"], row["statuscode"]);
        match (closed_there, closed_here) {
            (false, false) => {
                let fits = match referral["substatus"].as_str() {
                    Some("Received") => row["statuscode"] == 2,
                    // Partner Center knows nothing like a deal that is on hold after it was accepted.
                    _ => row["statuscode"] == 1 || row["statuscode"] == 2,
                };
                if !fits {
                    wrong.push(state);
                }
                wrong.extend(self.fields(deal, referral, row, true));
            }
            // Both are final: where people closed them differently, so they stay.
            (true, true) if deal.closed == [true, true] => {}
            (true, true) if won_there == won_here => {
                // What people do on one side while the other closes comes too late.
                if !deal.too_late {
                    wrong.extend(self.fields(deal, referral, row, false));
                }
            }
            _ => wrong.push(state),
        }
        wrong
    }

    fn fields(&self, deal: &Deal, referral: &Value, row: &Value, open: bool) -> Vec<String> {
        let mut here = Fields {
            name: bare(&row["name"]),
            value: row["estimatedvalue"].as_f64(),
            currency: self.currency(row),
            day: day(&row["estimatedclosedate"]),
            notes: shown(&row["description"]),
        };
        let there = Fields::there(referral);
        // A value that was taken away in the CRM cannot be given back once the deal is closed.
        if !open && here.value == Some(0.0) {
            here.value = there.value;
        }
        let mut wrong = there.differ(&here);
        let mut same = |what: &str, there: &Value, here: &Value| {
            if there != here {
                wrong.push(format!("{what}: {there} in Partner Center, {here} in the CRM"));
            }
        };
        let solutions =
            self.solutions.iter().filter(|solution| solution["_msft_opportunity_value"] == row["opportunityid"]);
        let mut rows: Vec<&Value> = solutions.map(|solution| &solution["msft_solutionid"]).collect();
        let tags = referral["details"]["requirements"]["solutions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut tags: Vec<&Value> = tags.iter().map(|tag| &tag["id"]).collect();
        rows.sort_by_key(|id| id.to_string());
        tags.sort_by_key(|id| id.to_string());
        let tagged: Value = tags.iter().copied().cloned().collect();
        if open || !rows.is_empty() {
            same("solutions", &tagged, &rows.into_iter().cloned().collect());
        }
        if !open {
            return wrong;
        }
        for (field, expected) in deal.expected() {
            let details = &referral["details"];
            let found = match field {
                "value" => details["dealValue"].as_f64().map_or(Value::Null, Value::from),
                "day" => Value::from(day(&details["closingDateTime"])),
                "notes" => Value::from(shown(&details["notes"])),
                "name" => Value::from(bare(&referral["name"])),
                "currency" => details["currency"].clone(),
                _ => tagged.clone(),
            };
            if found != *expected {
                wrong.push(format!("{field}: {expected} was written, and {found} is there"));
            }
        }
        let mut same = |what: &str, there: &Value, here: &Value| {
            if there != here {
                wrong.push(format!("{what}: {there} in Partner Center, {here} in the CRM"));
            }
        };
        let consent = &referral["consent"]["consentToShareReferralWithMicrosoftSellers"];
        same("visibility", consent, &row[VISIBLE]);
        let identifier = &referral["trackingInfo"]["microsoftMsxId"];
        if !identifier.is_null() {
            same("Microsoft's identifier", identifier, &row[MICROSOFT_ID]);
        }
        // Nobody has to ask Microsoft into a deal that came from there.
        if deal.kind != Kind::Shared {
            let code = &referral["inviteContext"]["assistanceRequestCode"];
            let asked = code
                .as_str()
                .filter(|code| *code != "Unknown")
                .map(|code| 299_600_000 + HELPS.iter().position(|help| *help == code).unwrap());
            same("help", &asked.map_or(Value::Null, Value::from), &row[HELP]);
        }
        wrong
    }
}

/// What Microsoft can help with, in the order of the CRM's numbers.
const HELPS: [&str; 6] = [
    "WorkloadSpecificValueProposition",
    "CustomerTechnicalArchitecture",
    "ProofOfConceptOrDemo",
    "QuotesOrLicensing",
    "PostSalesCustomerSuccess",
    "GeneralOrOther",
];

/// What both sides say of a deal.
struct Fields {
    name: String,
    value: Option<f64>,
    currency: String,
    day: String,
    notes: String,
}

impl Fields {
    fn there(referral: &Value) -> Self {
        let details = &referral["details"];
        Self {
            name: bare(&referral["name"]),
            value: details["dealValue"].as_f64(),
            currency: shown(&details["currency"]),
            day: day(&details["closingDateTime"]),
            notes: shown(&details["notes"]),
        }
    }

    /// How these of Partner Center differ from those of the CRM, whose columns are short.
    fn differ(&self, here: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut same = |what: &str, there: &str, here: &str| {
            if there != here {
                wrong.push(format!("{what}: {there:?} in Partner Center, {here:?} in the CRM"));
            }
        };
        same("name", &cut(&self.name, 298), &cut(&here.name, 298));
        same("value", &format!("{:?}", self.value), &format!("{:?}", here.value));
        same("currency", &self.currency, &here.currency);
        same("day", &self.day, &here.day);
        same("notes", &cut(&self.notes, 2000), &here.notes);
        wrong
    }
}

fn text_of(record: &Value, member: &str) -> Option<String> {
    record[member].as_str().map(str::to_owned)
}

/// Null is an empty text.
fn shown(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bare(name: &Value) -> String {
    shown(name).trim_matches(|letter: char| matches!(letter, '✔' | '✖') || letter.is_whitespace()).to_owned()
}

fn day(value: &Value) -> String {
    shown(value).chars().take(10).collect()
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// The column Audit has its newest line first.
fn disordered(row: &Value) -> Option<String> {
    let audit = shown(&row[AUDIT]);
    let times: Vec<&str> = audit.lines().filter_map(|line| line.split_once(" UTC - ")).map(|(time, _)| time).collect();
    (!times.is_sorted_by(|newer, older| newer >= older)).then(|| format!("Audit is not newest first: {audit}"))
}
