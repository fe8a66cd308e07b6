//! Whatever a run writes and searches by turns: its searches in a dry run find what they find when it is done.

use std::collections::BTreeMap;
use std::fmt;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::{Catalogue, Severity};
use cosell_runtime::memory::Start;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dry::{Compared, both};
use crate::world::World;

/// Each act looks for a person, then does something with whoever was found, or lists people.
const FLOW: &str = "
flow: searches
trigger: { use: manual, inputs: { acts: { type: list } } }
steps:
  acts:
    for_each: ${{ inputs.acts }}
    do:
      found:
        when: ${{ item.where }}
        use: dataverse.find_row
        with: { table: contact, where: '${{ item.where }}', order_by: contactid, select: [lastname] }
      act:
        after: { found: [succeeded, skipped] }
        switch: ${{ item.do }}
        cases:
          create:
            known:
              when: ${{ not steps.found }}
              use: dataverse.create_row
              with: { table: contact, values: '${{ item.values }}' }
          change:
            changed:
              when: ${{ steps.found }}
              use: dataverse.update_row
              with: { table: contact, id: '${{ steps.found.contactid }}', values: '${{ item.values }}' }
          delete:
            gone:
              when: ${{ steps.found }}
              use: dataverse.delete_row
              with: { table: contact, id: '${{ steps.found.contactid }}' }
      listed:
        after: { act: [succeeded, skipped] }
        when: ${{ item.do == 'list' }}
        use: dataverse.list_rows
        with:
          table: contact
          where: ${{ item.also or {} }}
          filter: ${{ item.filter }}
          order_by: ${{ item.order_by }}
          top: ${{ item.top }}
          count: ${{ item.top == null }}
          select: [emailaddress1]
      rows:
        let: { all: \"${{ steps.listed.rows | default([]) }}\" }
    output: >-
      ${{ {'found': [steps.found.contactid, steps.found.lastname] if steps.found else null, 'count': steps.listed.count,
      'rows': (steps.rows.all if item.order_by else steps.rows.all | sort(attribute='contactid')) | map(attribute='contactid') | list,
      'emails': steps.rows.all | map(attribute='emailaddress1') | list if item.order_by else null} }}
output: ${{ steps.acts }}
";

const NAMES: [&str; 5] = ["Anna", "anna", "ANNABEL", "Ben", "Cleo"];
const EMAILS: [Option<&str>; 4] =
    [None, Some("x@customer.example"), Some("X@Customer.example"), Some("y@customer.example")];
const FILTERS: [Option<&str>; 9] = [
    None,
    Some("lastname eq 'ANNA'"),
    Some("contains(lastname,'nn')"),
    Some("startswith(lastname,'AN') and emailaddress1 ne null"),
    Some("emailaddress1 eq null or lastname eq 'ben'"),
    Some("not (emailaddress1 ne null) and statecode eq 0"),
    Some("not contains(lastname,'a')"),
    Some("_parentcustomerid_value eq null and (lastname ne 'Cleo' or emailaddress1 eq 'y@CUSTOMER.example')"),
    Some("contactid eq 3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
];
const ORDERS: [Option<&str>; 4] =
    [None, Some("contactid"), Some("lastname desc, contactid"), Some("emailaddress1,lastname,contactid desc")];

/// Acts, run by run.
#[derive(Clone)]
pub struct Searches(Vec<Vec<Value>>);

/// A line for each act.
impl fmt::Debug for Searches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for acts in &self.0 {
            writeln!(formatter, "run:")?;
            acts.iter().try_for_each(|act| writeln!(formatter, "  {act}"))?;
        }
        Ok(())
    }
}

pub fn searches() -> impl Strategy<Value = Searches> {
    prop::collection::vec(prop::collection::vec(act(), 1..12), 1..4).prop_map(Searches)
}

fn act() -> impl Strategy<Value = Value> {
    let person = || (prop::sample::select(&NAMES[..]), prop::sample::select(&EMAILS[..]));
    let values = || person().prop_map(|(name, email)| json!({ "lastname": name, "emailaddress1": email }));
    let place = || {
        person().prop_flat_map(|(name, email)| {
            prop_oneof![
                Just(json!({ "lastname": name })),
                Just(json!({ "emailaddress1": email })),
                Just(json!({ "lastname": name, "emailaddress1": email })),
            ]
        })
    };
    let list = (
        prop::sample::select(&FILTERS[..]),
        prop::sample::select(&ORDERS[..]),
        prop::option::of(1..4u32),
        prop::option::of(place()),
    );
    prop_oneof![
        // Two people of one address: the second is the first.
        4 => (prop::option::of(place()), values()).prop_map(|(place, values)| json!({ "do": "create", "where": place, "values": values })),
        2 => (place(), values()).prop_map(|(place, values)| json!({ "do": "change", "where": place, "values": values })),
        1 => place().prop_map(|place| json!({ "do": "delete", "where": place })),
        4 => list.prop_map(|(filter, order_by, top, also)| {
            // Which ones come first is nobody's promise without an order.
            let top = top.filter(|_| order_by.is_some());
            json!({ "do": "list", "filter": filter, "order_by": order_by, "top": top, "also": also })
        }),
    ]
}

/// Plays the runs one after the other, each first dry.
pub async fn play(world: &World, Searches(runs): &Searches, compared: &mut Compared) -> Result<(), String> {
    let dataverse = cosell_dataverse::connector();
    let files = vec![SourceFile { path: "searches.yaml".to_owned(), text: FLOW.to_owned(), layer: Layer::Own }];
    let compilation = compile(files, &Catalogue::new([dataverse.description().clone()]), &BTreeMap::new());
    let errors = compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.count(), 0, "{:?}", compilation.diagnostics);
    let mut still = world.still().await;
    still.plans = compilation.plans;
    compared.begin();
    for acts in runs {
        let start = Start { inputs: json!({ "acts": acts }), ..Start::default() };
        both(&still, "searches", start, compared).await?;
    }
    Ok(())
}
