//! A desk where the people of a deal work: a seller in the CRM, one at Microsoft, one in the partner's portal. Whatever they
//! do is brought to the other side by running a shipped flow, as a program of its own each time.

use std::path::Path;

use serde_json::{Value, json};

use super::{Project, Stage, configuration};

pub const SYNC: &str = "msft_microsoftpartnercenterreferralsync";
pub const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
pub const LINK: &str = "msft_microsoftpartnercenterreferrallink";
pub const HELP: &str = "msft_microsoftpartnercenterhelp";
pub const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
pub const MICROSOFT_ID: &str = "msft_microsoftcrmidentifier";
pub const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
pub const SOLUTIONS: &str = "msft_partnercentersolutions";

/// A sandbox, and a project connected to it.
pub struct Desk {
    pub stage: Stage,
    pub project: Project,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// What the flow yields.
    pub output: Value,
    /// Code and message, where it failed.
    pub failure: Value,
    /// Everything printed.
    pub seen: String,
}

impl Ran {
    /// It succeeded, with this result.
    #[track_caller]
    pub fn gives(self, result: &str) -> Self {
        assert_eq!((self.code, &self.output["result"]), (0, &json!(result)), "{}", self.story());
        self
    }

    /// It failed with this code; the message.
    #[track_caller]
    pub fn fails(&self, code: &str) -> String {
        assert_eq!((self.code, &self.failure["code"]), (1, &json!(code)), "{}", self.story());
        text(&self.failure["message"]).to_owned()
    }

    /// It succeeded, whatever there was to do.
    #[track_caller]
    pub fn ends_well(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.story());
        self
    }

    /// What to look at when a test fails: the steps that ran, and how the run ended.
    fn story(&self) -> String {
        let mut story = String::new();
        for line in self.seen.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                story += &format!("{line}\n");
                continue;
            };
            let step = &event["step"];
            if event["event"] == "run_began" {
                story += &format!("{}\n", event["flow"]);
            } else if event["event"] == "step_ended" && step["outcome"] != "skipped" {
                let note = if step["failure"].is_null() { String::new() } else { step["failure"].to_string() };
                story += &format!("  {} {} {note}\n", step["path"], step["outcome"]);
            }
        }
        format!("{story}yields {}, failed with {}", self.output, self.failure)
    }
}

impl Desk {
    /// With everything as shipped. The folder is named after the test.
    pub fn new() -> Self {
        Self::with(&json!({}))
    }

    /// With current values for variables.
    pub fn with(variables: &Value) -> Self {
        let stage = Stage::new();
        let mut configuration = configuration(&stage.addresses);
        configuration["variables"] = variables.clone();
        let name = std::thread::current().name().unwrap_or("desk").replace("::", "-");
        let project = Project::new(&format!("desk-{name}"))
            .file("cosell.yaml", &configuration.to_string())
            .file("flows/own.yaml", "variables: {}\n");
        Self { stage, project }
    }

    /// With the project of a folder of `examples`, connected.
    pub fn example(name: &str) -> Self {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
                if path.is_dir() {
                    copy(&path, &to.join(name));
                } else {
                    std::fs::copy(&path, to.join(name)).unwrap();
                }
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let text = std::fs::read_to_string(folder.join("cosell.yaml")).unwrap();
        let own: Value = serde_yaml::from_str(&text).unwrap();
        let desk = Self::with(&own["variables"]);
        if folder.join("flows").exists() {
            copy(&folder.join("flows"), &desk.project.folder.join("flows"));
        }
        desk
    }

    /// An administrator defines something in the CRM through the metadata API.
    pub fn define(&self, path: &str, definition: &Value) {
        self.stage.control("POST", &format!("/crm/metadata/{path}"), definition);
    }

    /// An administrator adds a column to a table; `more` is what its type needs.
    pub fn column(&self, table: &str, kind: &str, name: &str, more: &Value) {
        let mut column =
            json!({ "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "SchemaName": name });
        column.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.define(&format!("EntityDefinitions(LogicalName='{table}')/Attributes"), &column);
    }

    /// An administrator makes a column mandatory.
    pub fn require(&self, table: &str, column: &str) {
        self.stage.control("PUT", &format!("/crm/required/{table}/{column}"), &json!({}));
    }

    /// Runs a flow to its end.
    #[track_caller]
    pub fn run(&self, flow: &str, arguments: &[&str]) -> Ran {
        let output = self.project.run(&[&["run", flow, "--json"], arguments].concat());
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ended = lines.rfind(|line| line["event"] == "run_ended");
        let mut ended = ended.unwrap_or_else(|| panic!("{flow} did not run\n{printed}{errors}"));
        let run = ended["run"].take();
        Ran {
            code: output.status.code().unwrap(),
            output: run["output"].clone(),
            failure: run["failure"].clone(),
            seen: [printed, errors].concat(),
        }
    }

    #[track_caller]
    fn run_event(&self, flow: &str, event: &Value) -> Ran {
        std::fs::write(self.project.folder.join("event.json"), event.to_string()).unwrap();
        self.run(flow, &["--event", "event.json"])
    }

    /// Brings an opportunity to Partner Center.
    #[track_caller]
    pub fn send(&self, opportunity: &str) -> Ran {
        self.run("dynamics-to-partner-center", &["--input", &format!("opportunity_id={opportunity}")])
    }

    /// An opportunity was saved, and Dataverse says so.
    #[track_caller]
    pub fn saved(&self, opportunity: &str) -> Ran {
        self.run_event("dynamics-opportunity-to-partner-center", &self.saving(opportunity))
    }

    /// An opportunity was saved, and no flow wants to hear of it.
    #[track_caller]
    pub fn saved_unheard(&self, opportunity: &str) {
        std::fs::write(self.project.folder.join("event.json"), self.saving(opportunity).to_string()).unwrap();
        let flow = "dynamics-opportunity-to-partner-center";
        let seen = self.project.transcript(&["run", flow, "--event", "event.json"]);
        assert!(seen.starts_with("exit code 2\n") && seen.contains("would not start"), "{seen}");
    }

    fn saving(&self, opportunity: &str) -> Value {
        let row = columns(&self.stage.row(opportunity));
        json!({ "table": "opportunity", "change": "saved", "id": opportunity, "row": row })
    }

    /// A row of Microsoft Partner Center Solutions was saved, and Dataverse says so.
    #[track_caller]
    pub fn solution_saved(&self, solution: &str) -> Ran {
        let rows = self.rows(SOLUTIONS);
        let row = rows.iter().find(|row| row["msft_partnercentersolutionid"] == solution).unwrap();
        let event =
            json!({ "table": "msft_partnercentersolution", "change": "saved", "id": solution, "row": columns(row) });
        self.run_event("dynamics-microsoft-solutions-to-partner-center", &event)
    }

    /// Such a row was deleted: all that is known any more is its id.
    #[track_caller]
    pub fn solution_deleted(&self, solution: &str) -> Ran {
        let event = json!({ "table": "msft_partnercentersolution", "change": "deleted", "id": solution, "row": null });
        self.run_event("dynamics-microsoft-solutions-to-partner-center", &event)
    }

    /// Partner Center reports that a referral was changed.
    #[track_caller]
    pub fn receive(&self, referral: &str) -> Ran {
        self.reported("referral-updated", referral)
    }

    /// Partner Center reports an event.
    #[track_caller]
    pub fn reported(&self, event: &str, referral: &str) -> Ran {
        let event = json!({ "event": event, "referral_id": referral, "changed_at": "2026-11-02T08:15:31Z" });
        self.run_event("partner-center-to-dynamics", &event)
    }

    /// A deal in the CRM that can be sent: an opportunity with a solution.
    pub fn deal(&self, members: &Value) -> String {
        let opportunity = self.stage.opportunity(members);
        self.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
        opportunity
    }

    /// A deal that was sent; the opportunity and its referral.
    #[track_caller]
    pub fn sent(&self, members: &Value) -> (String, String) {
        let opportunity = self.deal(members);
        self.send(&opportunity).gives("created");
        let referral = text(&self.row(&opportunity)[IDENTIFIER]).to_owned();
        (opportunity, referral)
    }

    /// A deal that Microsoft shared, not brought to the CRM yet.
    pub fn shared(&self, members: &Value) -> String {
        text(&self.stage.control("POST", "/seller/referrals", members)["id"]).to_owned()
    }

    /// A deal that Microsoft shared, and its opportunity.
    #[track_caller]
    pub fn arrived(&self, members: &Value) -> (String, String) {
        let referral = self.shared(members);
        let ran = self.reported("referral-created", &referral).gives("created");
        (referral, text(&ran.output["opportunity_id"]).to_owned())
    }

    /// A lead that Microsoft shared, not brought to the CRM yet.
    pub fn shared_lead(&self, members: &Value) -> String {
        let mut lead = json!({ "type": "Independent", "qualification": "MarketingQualified" });
        lead.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.shared(&lead)
    }

    /// A deal that somebody of the partner makes in Partner Center's portal, not brought to the CRM yet.
    pub fn made_in_portal(&self, members: &Value) -> String {
        let mut deal = json!({
            "name": "Tailwind cold rooms", "type": "Independent", "qualification": "SalesQualified",
            "customerProfile": {
                "name": "Tailwind Traders",
                "address": { "addressLine1": "1 Harbour Road", "city": "Seattle", "state": "WA", "postalCode": "98101", "country": "US" },
                "team": [{ "firstName": "Ana", "lastName": "Lopez", "phoneNumber": "+12065550142", "email": "ana@tailwind.example" }],
            },
            "consent": {
                "consentToToShareInfoWithOthers": true, "consentToContact": true,
                "consentToShareReferralWithMicrosoftSellers": false,
            },
            "details": {
                "notes": "Asked for ColdTrack at the fair.", "dealValue": 50_000, "currency": "USD",
                "closingDateTime": "2027-02-26T00:00:00Z",
                "requirements": {
                    "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }],
                    "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
                },
            },
        });
        deal.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        text(&self.stage.control("POST", "/partner/referrals", &deal)["id"]).to_owned()
    }

    /// Somebody in the CRM changes an opportunity.
    pub fn edit(&self, opportunity: &str, members: &Value) {
        self.stage.control("PATCH", &format!("/crm/rows/opportunities/{opportunity}"), members);
    }

    /// The Microsoft seller changes a referral.
    pub fn seller(&self, referral: &str, members: &Value) {
        self.stage.control("PATCH", &format!("/seller/referrals/{referral}"), members);
    }

    /// Somebody of the partner changes a referral in Partner Center's portal.
    pub fn portal(&self, referral: &str, members: &Value) {
        self.stage.control("PATCH", &format!("/partner/referrals/{referral}"), members);
    }

    /// Somebody in the CRM gives an opportunity a solution; the row.
    pub fn add_solution(&self, opportunity: &str, id: &str, name: &str) -> String {
        let solution = json!({
            "msft_name": name, "msft_solutionid": id, "msft_type": "Name",
            "msft_Opportunity@odata.bind": format!("/opportunities({opportunity})"),
        });
        text(&self.stage.control("POST", &format!("/crm/rows/{SOLUTIONS}"), &solution)["id"]).to_owned()
    }

    /// Somebody in the CRM takes a solution away.
    pub fn remove_solution(&self, solution: &str) {
        self.web_api("DELETE", &format!("{SOLUTIONS}({solution})"), &Value::Null);
    }

    /// Somebody in the CRM deletes an opportunity.
    pub fn delete_opportunity(&self, opportunity: &str) {
        self.web_api("DELETE", &format!("opportunities({opportunity})"), &Value::Null);
    }

    /// Somebody in the CRM wins an opportunity (`3`), or loses it (`4`, `5`).
    pub fn close(&self, opportunity: &str, status: u8) {
        let action = if status == 3 { "WinOpportunity" } else { "LoseOpportunity" };
        let bind = format!("/opportunities({opportunity})");
        let close = json!({ "subject": "Decided", "opportunityid@odata.bind": bind });
        self.web_api("POST", action, &json!({ "Status": status, "OpportunityClose": close }));
    }

    fn web_api(&self, method: &str, path: &str, body: &Value) {
        let addresses = &self.stage.addresses;
        let token = self.stage.app_token(&addresses.dataverse);
        let address = format!("{}/api/data/v9.2/{path}", addresses.dataverse);
        self.stage.runtime.block_on(async {
            let request = self.stage.http.request(method.parse().unwrap(), address).bearer_auth(token);
            let request = if body.is_null() { request } else { request.json(body) };
            let response = request.send().await.unwrap();
            assert!(response.status().is_success(), "{path}: {:?}", response.text().await);
        });
    }

    /// A minute passes.
    pub fn later(&self) {
        self.stage.control("POST", "/clock", &json!({ "advance_seconds": 60 }));
    }

    /// The opportunity as it is.
    pub fn row(&self, opportunity: &str) -> Value {
        self.stage.row(opportunity)
    }

    /// All rows of an entity set.
    pub fn rows(&self, set: &str) -> Vec<Value> {
        self.stage.control("GET", &format!("/crm/rows/{set}"), &Value::Null).as_array().unwrap().clone()
    }

    /// The solution ids of an opportunity's rows, in order.
    pub fn solution_rows(&self, opportunity: &str) -> Vec<String> {
        let rows = self.rows(SOLUTIONS);
        let own = rows.iter().filter(|row| row["_msft_opportunity_value"] == opportunity);
        let mut ids: Vec<String> = own.map(|row| text(&row["msft_solutionid"]).to_owned()).collect();
        ids.sort();
        ids
    }

    /// The referral as it is.
    pub fn referral(&self, id: &str) -> Value {
        self.stage.referrals().into_iter().find(|referral| referral["id"] == id).unwrap()
    }

    /// The ids of a referral's solutions, in order.
    pub fn solution_tags(&self, referral: &str) -> Vec<String> {
        let referral = self.referral(referral);
        let tags = referral["details"]["requirements"]["solutions"].as_array().unwrap();
        let mut ids: Vec<String> = tags.iter().map(|tag| text(&tag["id"]).to_owned()).collect();
        ids.sort();
        ids
    }

    /// Microsoft's side of a referral's engagement.
    pub fn microsofts_side(&self, referral: &str) -> Value {
        let engagement = self.referral(referral)["engagementId"].clone();
        let all = self.stage.referrals();
        let other = |side: &&Value| side["engagementId"] == engagement && side["organizationId"] == "msft";
        all.iter().find(other).unwrap_or_else(|| panic!("Microsoft was not asked: {all:?}")).clone()
    }

    /// The lines of the column Audit.
    pub fn audit(&self, opportunity: &str) -> Vec<String> {
        let row = self.row(opportunity);
        row[AUDIT].as_str().unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The newest line of the column Audit.
    pub fn newest(&self, opportunity: &str) -> String {
        self.audit(opportunity).into_iter().next().unwrap_or_default()
    }

    /// How many requests of the program, run in `act`, changed something.
    pub fn writes<T>(&self, act: impl FnOnce() -> T) -> usize {
        let before = self.stage.writes();
        act();
        self.stage.writes() - before
    }

    /// What the program's requests, run in `act`, changed in referrals: JSON pointers, in order.
    pub fn sent_fields<T>(&self, act: impl FnOnce() -> T) -> Vec<String> {
        let log = || self.stage.control("GET", "/log?after=0", &Value::Null).as_array().unwrap().clone();
        let before = log().len();
        act();
        let mut fields = Vec::new();
        for entry in log().iter().skip(before).filter(|entry| entry["system"] == "partner_center") {
            fields.extend(entry["changes"].as_array().unwrap().iter().map(|change| text(&change["field"]).to_owned()));
        }
        fields
    }
}

/// A row as triggers bring it: lookups by their column's name.
fn columns(row: &Value) -> Value {
    let mut columns = serde_json::Map::new();
    for (name, value) in row.as_object().unwrap() {
        match name.strip_prefix('_').and_then(|name| name.strip_suffix("_value")) {
            Some(_) if value.is_null() => {}
            Some(lookup) => {
                columns.insert(lookup.to_owned(), json!({ "id": value }));
            }
            None if name.contains('@') => {}
            None => {
                columns.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(columns)
}

/// The text of a value that is one.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// Each of the words stands in the line, in whatever case.
#[track_caller]
pub fn says(line: &str, words: &[&str]) {
    let lower = line.to_lowercase();
    for word in words {
        assert!(lower.contains(&word.to_lowercase()), "{word:?} is not in: {line}");
    }
}
