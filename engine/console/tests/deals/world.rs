//! A world with both systems, as far as deals need them: records that tests put there, and systems that are down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use cosell_model::{Effect, Value};
use cosell_sdk::{CallContext, CallError, Change, Connect, Connector, Meaning, Operation, Prediction, Write};
use serde_json::{Map, json};

use crate::support::{Made, Stand};

/// What both systems hold.
#[derive(Default)]
pub struct World {
    /// By id.
    pub referrals: BTreeMap<String, Value>,
    /// By table.
    pub rows: Vec<(String, Value)>,
    /// Connectors that do not answer.
    pub down: BTreeSet<&'static str>,
    /// Tables that cannot be read.
    pub locked: BTreeSet<&'static str>,
    /// Tables that are never done being read.
    pub silent: BTreeSet<&'static str>,
    /// How often referrals were read.
    pub reads: usize,
}

static WORLDS: LazyLock<Mutex<Vec<World>>> = LazyLock::new(Mutex::default);

struct System {
    world: usize,
}

impl Connect for System {
    type Settings = Map<String, Value>;

    fn connect(settings: Self::Settings) -> Result<Self, CallError> {
        Ok(Self { world: serde_json::from_value(settings["world"].clone()).unwrap() })
    }
}

impl System {
    fn is_silent(&self, input: &Map<String, Value>) -> bool {
        let table = input.get("table").and_then(Value::as_str);
        table.is_some_and(|table| WORLDS.lock().unwrap()[self.world].silent.contains(table))
    }

    fn ask(&self, name: &str, ask: impl FnOnce(&mut World) -> Result<Value, CallError>) -> Result<Value, CallError> {
        let world = &mut WORLDS.lock().unwrap()[self.world];
        if world.down.contains(name) {
            return Err(CallError::new(Meaning::Retry { after: None }, "unreachable", format!("{name} is <down>")));
        }
        ask(world)
    }
}

macro_rules! reads {
    ($name:ident, $operation:literal, $call:expr) => {
        struct $name;

        impl Operation for $name {
            type Connection = System;
            type Input = Map<String, Value>;
            type Output = Value;
            const NAME: &'static str = $operation;
            const TITLE: &'static str = "Read";
            const DESCRIPTION: &'static str = "Reads";
            const EFFECT: Effect = Effect::Read;

            async fn call(system: &System, input: Self::Input, _: &CallContext) -> Result<Value, CallError> {
                if system.is_silent(&input) {
                    std::future::pending::<()>().await;
                }
                $call(system, Value::Object(input))
            }
        }
    };
}

reads!(GetReferral, "get_referral", |system: &System, input: Value| {
    system.ask("partner_center", |world| {
        world.reads += 1;
        let found = world.referrals.get(input["id"].as_str().unwrap()).cloned();
        found.ok_or_else(|| CallError::rejected("itemNotFound", "there is none"))
    })
});

fn find(system: &System, table: &Value, wanted: &Map<String, Value>) -> Result<Value, CallError> {
    system.ask("dataverse", |world| {
        if let Some(table) = table.as_str().filter(|table| world.locked.contains(table)) {
            return Err(CallError::rejected("refused", format!("{table} is <locked>")));
        }
        let fits = |row: &Value| wanted.iter().all(|(column, value)| row[column] == *value);
        let found = world.rows.iter().find(|(of, row)| table == of && fits(row));
        Ok(found.map(|(_, row)| row.clone()).unwrap_or_default())
    })
}

reads!(FindRow, "find_row", |system: &System, input: Value| {
    find(system, &input["table"], input["where"].as_object().unwrap())
});

reads!(GetRow, "get_row", |system: &System, input: Value| {
    let key = format!("{}id", input["table"].as_str().unwrap());
    find(system, &input["table"], &Map::from_iter([(key, input["id"].clone())]))
});

struct CreateRow;

impl Operation for CreateRow {
    type Connection = System;
    type Input = Map<String, Value>;
    type Output = Value;
    const NAME: &'static str = "create_row";
    const TITLE: &'static str = "Create";
    const DESCRIPTION: &'static str = "Creates";
    const EFFECT: Effect = Effect::Write;

    async fn call(_: &System, _: Self::Input, _: &CallContext) -> Result<Value, CallError> {
        panic!("pages write nothing");
    }
}

impl Write for CreateRow {
    const FINDS_OUT: &'static str = "It does not.";

    async fn predict(_: &System, input: Self::Input, _: &CallContext) -> Result<Prediction, CallError> {
        let change = Change {
            record: "contact new".to_owned(),
            field: "*".to_owned(),
            old: Value::Null,
            new: input["values"].clone(),
        };
        Ok(Prediction { record: json!({ "contactid": "new" }), changes: vec![change] })
    }
}

pub const REFERRALS: &str = "flow: partner-center-to-dynamics
title: Partner Center to Dynamics 365
trigger: manual
key: ${{ trigger.referral_id }}
steps:
  referral: { use: partner_center.get_referral, with: { id: \"${{ trigger.referral_id }}\" } }
  remembered: { use: state.get, with: { key: \"deal/${{ trigger.referral_id }}\" } }
";

const OPPORTUNITIES: &str = "flow: dynamics-opportunity-to-partner-center
title: Dynamics 365 Opportunity to Partner Center
trigger: manual
key: ${{ trigger.id }}
steps:
  opportunity: { use: dataverse.get_row, with: { table: opportunity, id: \"${{ trigger.id }}\" } }
  details: { call: customize, with: { do: get_details, opportunity: \"${{ steps.opportunity }}\" } }
";

const CUSTOMIZE: &str = "flow: customize
title: Customize
trigger:
  use: call
  inputs:
    do: text
    opportunity: { type: object, default: null }
    referral: { type: object, default: null }
    account_id: { type: text, default: null }
steps:
  contact:
    when: ${{ inputs.do == 'contact' }}
    scope:
      person: { map: person-contact, from: { person: \"${{ inputs.referral.customerProfile.team[0] }}\" } }
      known:
        use: dataverse.find_row
        with:
          table: contact
          where: { emailaddress1: \"${{ steps.person.emailaddress1 }}\", parentcustomerid: \"${{ inputs.account_id }}\" }
      new:
        when: ${{ not steps.known }}
        use: dataverse.create_row
        with: { table: contact, values: \"${{ steps.person }}\" }
  details:
    after: { contact: [succeeded, skipped] }
    when: ${{ inputs.do == 'get_details' }}
    let:
      opportunity: >-
        ${{ inputs.opportunity | merge({'plain_name': inputs.opportunity.name | without('✔', '✖'), 'currency_code': 'EUR'}) }}
output:
  id: ${{ steps.known.contactid or steps.new.contactid }}
  opportunity: ${{ steps.details.opportunity }}
  solutions: ${{ inputs.opportunity.solutions }}
";

/// A console over the deals of a world.
pub struct Deals {
    pub stand: Stand,
    world: usize,
}

impl Deals {
    pub async fn new() -> Self {
        Self::with(REFERRALS).await
    }

    /// With another flow for referrals.
    pub async fn with(referrals: &str) -> Self {
        let world = {
            let mut worlds = WORLDS.lock().unwrap();
            worlds.push(World::default());
            worlds.len() - 1
        };
        let partner_center = Connector::new::<System>("partner_center", "Partner Center", "Has referrals");
        let dataverse = Connector::new::<System>("dataverse", "Dataverse", "Has rows");
        let connectors = vec![
            partner_center.operation::<GetReferral>().build(),
            dataverse.operation::<FindRow>().operation::<GetRow>().write::<CreateRow>().build(),
            cosell_state::connector(),
        ];
        let settings = [json!({ "world": world }), json!({ "world": world }), json!({})];
        let open = connectors
            .iter()
            .zip(settings)
            .map(|(connector, settings)| (connector.description().name.clone(), connector.open(settings).unwrap()));
        let connections = open.collect();
        let files = vec![
            ("shipped/a.yaml", referrals),
            ("shipped/b.yaml", OPPORTUNITIES),
            ("shipped/c.yaml", CUSTOMIZE),
            ("shipped/variables.yaml", include_str!("../../../../flows/variables.yaml")),
            ("shipped/m/a.yaml", include_str!("../../../../flows/mappings/referral-opportunity.yaml")),
            ("shipped/m/b.yaml", include_str!("../../../../flows/mappings/referral-lead.yaml")),
            ("shipped/m/c.yaml", include_str!("../../../../flows/mappings/customer-account.yaml")),
            ("shipped/m/d.yaml", include_str!("../../../../flows/mappings/person-contact.yaml")),
            ("shipped/m/e.yaml", include_str!("../../../../flows/mappings/member-user.yaml")),
        ];
        let stand = Made { files, connectors, connections, ..Made::default() }.stand().await;
        Self { stand, world }
    }

    /// Changes the world.
    pub fn world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut WORLDS.lock().unwrap()[self.world])
    }

    /// Keeps a value, as flows do.
    pub async fn keep(&self, key: &str, value: Value) {
        let engine = self.stand.api.engine();
        let state = engine.connection("state").unwrap();
        let context = CallContext::new(uuid::Uuid::now_v7(), false);
        state.call("put", json!({ "key": key, "value": value }), context).await.unwrap();
    }

    /// A deal of both sides that differ in nothing, and what is kept of it.
    pub async fn pair(&self, name: &str) {
        self.world(|world| {
            world.referrals.insert(REFERRAL.to_owned(), referral(name));
            world.rows.push(("opportunity".to_owned(), opportunity(name)));
        });
        let agreed = |left: Value, right: Value| json!({ "referral": left, "opportunity": right });
        let value = json!({
            "opportunity_id": OPPORTUNITY, "name": name, "customer": "Fabrikam, Inc.", "solutions": ["S1"],
            "agreed": {
                "name": agreed(json!(name), json!(name)),
                "deal_value": agreed(json!(84_000), json!(84_000)),
                "closing_date": agreed(json!("2027-01-29T00:00:00Z"), json!("2027-01-29")),
                "notes": agreed(json!("Three sites."), json!("Three sites.")),
                "status": agreed(json!("Accepted"), json!(1)),
            },
        });
        self.keep(&format!("deal/{REFERRAL}"), value).await;
    }

    /// Changes the referral.
    pub fn referral(&self, change: impl FnOnce(&mut Value)) {
        self.world(|world| change(world.referrals.get_mut(REFERRAL).unwrap()));
    }

    /// Changes the opportunity.
    pub fn opportunity(&self, change: impl FnOnce(&mut Value)) {
        self.world(|world| change(&mut world.rows[0].1));
    }

    /// Starts the flow for a referral, and waits until it has ended.
    pub async fn run(&self, referral: &str) {
        let trigger = json!({ "referral_id": referral });
        self.stand.api.start("partner-center-to-dynamics", trigger, Value::Null).await.unwrap();
        self.stand.dispatcher.idle().await;
        self.stand.journal.flushed().await.unwrap();
    }
}

pub const REFERRAL: &str = "8f45767e-4ba5-4a17-8424-73d4f5439812";
pub const OPPORTUNITY: &str = "9b954bae-d7e3-5bb1-9ee9-6f5d372ef5d1";

pub fn referral(name: &str) -> Value {
    json!({
        "id": REFERRAL, "name": format!("✔ {name}"), "status": "Active", "substatus": "Accepted", "type": "Shared",
        "externalReferenceId": OPPORTUNITY, "updatedDateTime": "2026-11-02T09:00:00Z",
        "customerProfile": { "name": "Fabrikam, Inc." },
        "details": {
            "dealValue": 84_000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z", "notes": "Three sites.",
            "requirements": { "solutions": [{ "id": "S1", "name": "ColdTrack" }] },
        },
    })
}

pub fn opportunity(name: &str) -> Value {
    json!({
        "opportunityid": OPPORTUNITY, "name": format!("✔ {name}"), "statecode": 0, "statuscode": 1,
        "estimatedvalue": 84_000.0, "estimatedclosedate": "2027-01-29", "description": "Three sites.",
        "modifiedon": "2026-11-02T08:00:00Z", "solutions": [{ "id": "S1", "name": "ColdTrack" }],
        "msft_microsoftpartnercenterreferralsync": true,
        "msft_microsoftpartnercenterreferralidentifier": REFERRAL,
        "msft_microsoftpartnercenterreferralsyncaudit":
            "2026-11-02 08:15 UTC - Not sent to Partner Center: no <account>.\n2026-11-01 08:00 UTC - Created from Partner Center.",
    })
}
