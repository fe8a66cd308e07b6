//! What starts a flow: its trigger, and what stands beside it.

use cosell_model::catalogue::Delivery;
use cosell_model::flow::{Flow, Source, TriggerSource};
use cosell_model::{Catalogue, Diagnostic, Schema, SourceName, Span, Spanned};
use serde_json::Value;

use super::{Lowering, unknown_offer};
use crate::check::{forms, inputs, triggers};
use crate::expr::template::Template;
use crate::plan::{InputPlan, RegionIx, SourcePlan, TriggerPlan};
use crate::resolve::{Brought, Standpoint};

/// Where a trigger's own values stand: before the run has begun.
const BEFORE: Standpoint = Standpoint { step: None, region: RegionIx(0), steps: false };

/// What each of the things that start the flow brings, where that is known.
pub(crate) fn brought<'c>(flow: &Flow, catalogue: &'c Catalogue) -> Vec<Brought<'c>> {
    let schema = |source: &Source| -> Option<&'c Schema> {
        match &source.kind {
            TriggerSource::Connector(name) => catalogue.trigger(name).map(|trigger| &trigger.output),
            built_in => triggers::brings(built_in),
        }
    };
    let sources = flow.trigger.sources().filter_map(|source| Some((&source.kind, schema(source)?)));
    let what = |kind: &TriggerSource| match kind {
        TriggerSource::Connector(name) if !flow.trigger.also.is_empty() => {
            format!("`trigger`, as `{name}` brings it,")
        }
        _ => "`trigger`".to_owned(),
    };
    sources.map(|(kind, schema)| Brought { what: what(kind), schema }).collect()
}

impl Lowering<'_, '_> {
    pub(super) fn trigger(&mut self, flow: &Flow) -> TriggerPlan {
        let (trigger, main) = (&flow.trigger, &flow.trigger.main);
        let mut sources: Vec<SourcePlan> = Vec::new();
        let mut spans: Vec<Span> = Vec::new();
        for source in trigger.sources() {
            let Some(plan) = self.source(source) else { continue };
            let same = |known: &&SourcePlan| {
                (&known.trigger, &known.connection, &known.with) == (&plan.trigger, &plan.connection, &plan.with)
            };
            if let Some(first) = sources.iter().position(|known| same(&known)) {
                let message = format!("`{}` starts this flow already, with the same settings", plan.trigger);
                self.findings.push(
                    Diagnostic::error("duplicate-source", message, source.span, "the same again")
                        .also(spans[first], "first here")
                        .help("leave one of them out"),
                );
                continue;
            }
            let before = sources.iter().filter(|known| {
                (&known.connection, &known.trigger.operation) == (&plan.connection, &plan.trigger.operation)
            });
            let name = match before.count() {
                0 => plan.name,
                before => SourceName::new(format!("{}#{}", plan.name, before + 1)),
            };
            sources.push(SourcePlan { name, ..plan });
            spans.push(source.span);
        }
        let (mut schedule, mut entrance) = (None, None);
        if !matches!(main.kind, TriggerSource::Connector(_)) {
            let with = self.settings(main);
            self.only_where_it_asks(main, None);
            let fits = triggers::fits(&main.kind, main.with.as_ref(), main.span, self.findings) && !with.is_null();
            if fits && main.kind == TriggerSource::Schedule {
                schedule = triggers::schedule(&with, main.with.as_ref(), main.span, self.findings);
            } else if fits {
                entrance = triggers::entrance(&with, main.with.as_ref(), main.span, self.findings);
            }
        }
        let inputs = trigger.inputs.iter().map(|input| InputPlan {
            name: input.name.value.clone(),
            kind: input.kind,
            one_of: input.one_of.clone(),
            default: input.default.clone(),
        });
        let inputs = inputs.collect();
        let when = trigger.when.as_ref().map(|node| {
            forms::condition(node, "`when`", self.findings);
            self.own(node, BEFORE)
        });
        TriggerPlan { source: main.kind.clone(), sources, when, inputs, schedule, entrance }
    }

    /// A connector's trigger; none where it is a built-in one.
    fn source(&mut self, source: &Source) -> Option<SourcePlan> {
        let TriggerSource::Connector(name) = &source.kind else { return None };
        match self.around.catalogue.trigger(name) {
            Some(description) => {
                inputs::operation(
                    &description.input,
                    source.with.as_ref(),
                    source.span,
                    &format!("trigger `{name}`"),
                    self.findings,
                );
                self.only_where_it_asks(source, Some(description.delivery));
            }
            None => self.findings.push(unknown_offer(
                self.around.catalogue,
                &Spanned::new(name.clone(), source.span),
                "trigger",
            )),
        }
        let connection = source.connection.as_ref().map_or_else(|| name.connector.to_string(), |c| c.value.clone());
        Some(SourcePlan {
            name: SourceName::new(format!("{connection}.{}", name.operation)),
            trigger: name.clone(),
            connection,
            with: self.settings(source),
            every: source.every.as_ref().map(|every| every.value),
        })
    }

    /// Reports `every` where nothing is asked.
    fn only_where_it_asks(&mut self, source: &Source, delivery: Option<Delivery>) {
        let Some(every) = source.every.as_ref().filter(|_| delivery != Some(Delivery::Poll)) else { return };
        let help = match source.kind {
            TriggerSource::Schedule => "write it under `with`: `with: { every: 15m }`",
            _ => "leave it out: this one is told, and asks nobody",
        };
        let message = "`every` is for triggers that ask";
        self.findings.push(Diagnostic::error("every-not-taken", message, every.span, "not taken here").help(help));
    }

    /// What `with` holds, which no run can change.
    fn settings(&mut self, source: &Source) -> Value {
        let Some(node) = &source.with else { return Value::Object(serde_json::Map::new()) };
        match self.own(node, BEFORE) {
            Template::Constant(value) => value,
            computed => {
                self.findings.push(
                    Diagnostic::error(
                        "not-constant",
                        "a trigger's settings cannot depend on a run",
                        computed.place().unwrap_or(node.span),
                        "computed",
                    )
                    .help("only `vars` are known here; use the trigger's `when` to choose among events"),
                );
                Value::Null
            }
        }
    }
}
