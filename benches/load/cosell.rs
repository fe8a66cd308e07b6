//! The job as a flow, in the parts that `cosell serve` is made of.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_model::Catalogue;
use cosell_model::catalogue::Limits;
use cosell_model::flow::Retry;
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Nobody;
use cosell_sdk::settings::Secret;
use cosell_service::entrances::Entrances;
use cosell_service::hooks::{Hooks, Listening};
use serde_json::json;

pub(crate) const FLOW: &str = "
flow: job
trigger: { use: http, with: { path: events, methods: [POST] } }
key: ${{ trigger.body.id }}
steps:
  referral:
    use: http.get
    with: { path: \"/referrals/{id}\", parameters: { id: \"${{ trigger.body.id }}\" } }
  active:
    if: ${{ steps.referral.body.status == 'Active' }}
    then:
      row: { map: deal, from: { referral: \"${{ steps.referral.body }}\" } }
      write:
        use: http.request
        with:
          method: PATCH
          path: \"/opportunities/{id}\"
          parameters: { id: \"${{ trigger.body.id }}\" }
          body: ${{ steps.row }}
";

pub(crate) const MAPPING: &str = "
mapping: deal
between: [referral, opportunity]
rows:
  name: { referral: { path: name, as: text }, opportunity: { path: name, as: text, length: 300 } }
  value: { referral: { path: details.dealValue, as: money }, opportunity: { path: estimatedvalue, as: money } }
  currency: { referral: { path: details.currency, as: text }, opportunity: { path: currency, as: text } }
  closing: { referral: { path: details.closingDateTime, as: datetime }, opportunity: { path: estimatedclosedate, as: date } }
  notes: { referral: { path: details.notes, as: text }, opportunity: { path: description, as: text, length: 2000 } }
  city: { referral: { path: customerProfile.address.city, as: text }, opportunity: { path: city, as: text } }
  country: { referral: { path: customerProfile.address.country, as: country }, opportunity: { path: country, as: text } }
  customer: { referral: { path: customerProfile.name, as: text }, opportunity: { path: customer, as: text } }
  visible: { referral: { path: consent.share, as: boolean }, opportunity: { path: visible, as: boolean } }
  status:
    referral: { path: substatus, as: text }
    opportunity: { path: statuscode, as: integer }
    values: { Accepted: 1, Received: 2, Won: 3, Lost: 5 }
";

/// Serves web hooks; gives their address.
pub(crate) async fn serve(system: &str, folder: &Path) -> String {
    let journal = Journal::open(&folder.join("journal.sqlite")).unwrap();
    let connector = cosell_http::connector();
    let file = |text: &str| SourceFile { path: "bench.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
    let catalogue = Catalogue::new([connector.description().clone()]);
    let compiled = compile(vec![file(FLOW), file(MAPPING)], &catalogue, &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    // As many calls at once as by hand.
    let connection = connector.open(json!({ "address": system })).unwrap().with_limits(Limits::default());
    let connections = BTreeMap::from([("http".to_owned(), connection)]);
    journal.keep_version("v", &json!({})).await.unwrap();
    let keeper = Arc::new(journal);
    let engine = Engine::new(compiled.plans, connections, Retry::default()).patient();
    let engine = Arc::new(engine.kept_by(keeper.clone(), "v".to_owned(), Vec::new()));
    let secret = |_: &_| Ok(Secret::from(String::new()));
    let entrances = Entrances::of(&engine, secret).unwrap();
    let dispatcher = Dispatcher::with_inbox(engine, Arc::new(Nobody), keeper, Room::default());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let how = Listening { entrances, ..Listening::default() };
    let hooks = Hooks::listen(address, dispatcher, how).await.unwrap();
    let url = format!("{}/in/events", hooks.origin());
    // The process ends it.
    std::mem::forget(hooks);
    url
}
