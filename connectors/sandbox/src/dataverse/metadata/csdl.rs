//! `$metadata`: the model as XML (OData CSDL 4.0). Choices are plain numbers, as the Web API shows them in rows.

use std::fmt::Write;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::dataverse::schema::{Kind, Schema, Table};

/// The answer to `GET /$metadata`.
pub(super) fn response(schema: &Schema) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/xml")], document(schema)).into_response()
}

fn document(schema: &Schema) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\n\
         <edmx:DataServices>\n\
         <Schema Namespace=\"Microsoft.Dynamics.CRM\" Alias=\"mscrm\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n\
         <EntityType Name=\"crmbaseentity\" Abstract=\"true\" />\n",
    );
    for table in schema.tables() {
        entity_type(schema, table, &mut out);
    }
    out.push_str(ACTIONS);
    for table in schema.tables() {
        for name in ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"] {
            let returned = match name {
                "CreateMultiple" => "<ReturnType Type=\"mscrm.CreateMultipleResponse\" Nullable=\"false\" />",
                _ => "",
            };
            let of = format!("Collection(mscrm.{})", table.logical);
            push(
                &mut out,
                format_args!(
                    "<Action Name=\"{name}\" IsBound=\"true\"><Parameter Name=\"entityset\" Type=\"{of}\" Nullable=\"false\" />\
                 <Parameter Name=\"Targets\" Type=\"{of}\" Nullable=\"false\" />{returned}</Action>\n"
                ),
            );
        }
    }
    container(schema, &mut out);
    out.push_str("</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n");
    out
}

fn entity_type(schema: &Schema, table: &Table, out: &mut String) {
    push(out, format_args!("<EntityType Name=\"{}\" BaseType=\"mscrm.crmbaseentity\">\n", table.logical));
    push(out, format_args!("<Key><PropertyRef Name=\"{}\" /></Key>\n", table.primary_id));
    for column in &table.columns {
        let (name, edm) = (column.property(), column.edm());
        let more = match &column.kind {
            Kind::Text { max, .. } | Kind::Memo { max } => format!(" MaxLength=\"{max}\""),
            Kind::Money { .. } => " Scale=\"4\"".to_owned(),
            Kind::Decimal { precision, .. } => format!(" Scale=\"{precision}\""),
            Kind::PrimaryKey => " Nullable=\"false\"".to_owned(),
            _ => String::new(),
        };
        push(out, format_args!("<Property Name=\"{name}\" Type=\"{edm}\"{more} />\n"));
        for target in column.targets().iter().filter(|target| schema.table(target.table).is_some()) {
            let partner = target.collection.map(|name| format!(" Partner=\"{name}\"")).unwrap_or_default();
            let key = schema.table(target.table).map_or("", |table| table.primary_id.as_str());
            push(
                out,
                format_args!(
                    "<NavigationProperty Name=\"{}\" Type=\"mscrm.{}\"{partner}>\
                 <ReferentialConstraint Property=\"{name}\" ReferencedProperty=\"{key}\" /></NavigationProperty>\n",
                    target.navigation, target.table
                ),
            );
        }
    }
    for (name, other, partner) in collections(schema, table) {
        push(
            out,
            format_args!(
                "<NavigationProperty Name=\"{name}\" Type=\"Collection(mscrm.{other})\" Partner=\"{partner}\" />\n"
            ),
        );
    }
    out.push_str("</EntityType>\n");
}

/// The collection-valued navigation properties of `table`: name, table, and the way back.
fn collections(schema: &Schema, table: &Table) -> Vec<(String, String, String)> {
    let lookups = schema.lookups_to(table).filter_map(|(other, _, target)| {
        Some((target.collection?.to_owned(), other.logical.clone(), target.navigation.clone()))
    });
    let links = schema.links().flat_map(|link| {
        (0..2).filter(|end| link.tables[*end] == table.logical).map(move |end| {
            let other = 1 - end;
            (link.navigations[end].clone(), link.tables[other].to_owned(), link.navigations[other].clone())
        })
    });
    lookups.chain(links).collect()
}

fn container(schema: &Schema, out: &mut String) {
    out.push_str("<EntityContainer Name=\"System\">\n");
    for table in schema.tables() {
        push(out, format_args!("<EntitySet Name=\"{}\" EntityType=\"mscrm.{}\">\n", table.set, table.logical));
        let known = |column: &'static crate::dataverse::schema::Column| {
            column
                .targets()
                .iter()
                .filter_map(|target| Some((target.navigation.clone(), schema.table(target.table)?.set)))
        };
        // Collections lead to the sets of their tables, lookups to those of their targets.
        let many = collections(schema, table)
            .into_iter()
            .filter_map(|(name, other, _)| Some((name, schema.table(&other)?.set)));
        let Some(kept) = schema.table(&table.logical) else { continue };
        for (path, target) in kept.columns.iter().flat_map(known).chain(many) {
            push(out, format_args!("<NavigationPropertyBinding Path=\"{path}\" Target=\"{target}\" />\n"));
        }
        out.push_str("</EntitySet>\n");
    }
    out.push_str(
        "<FunctionImport Name=\"WhoAmI\" Function=\"mscrm.WhoAmI\" />\n\
         <ActionImport Name=\"WinOpportunity\" Action=\"mscrm.WinOpportunity\" />\n\
         <ActionImport Name=\"LoseOpportunity\" Action=\"mscrm.LoseOpportunity\" />\n\
         </EntityContainer>\n",
    );
}

const ACTIONS: &str = "<ComplexType Name=\"WhoAmIResponse\"><Property Name=\"BusinessUnitId\" Type=\"Edm.Guid\" Nullable=\"false\" />\
<Property Name=\"UserId\" Type=\"Edm.Guid\" Nullable=\"false\" />\
<Property Name=\"OrganizationId\" Type=\"Edm.Guid\" Nullable=\"false\" /></ComplexType>\n\
<ComplexType Name=\"CreateMultipleResponse\"><Property Name=\"Ids\" Type=\"Collection(Edm.Guid)\" Nullable=\"false\" /></ComplexType>\n\
<Function Name=\"WhoAmI\"><ReturnType Type=\"mscrm.WhoAmIResponse\" Nullable=\"false\" /></Function>\n\
<Action Name=\"WinOpportunity\"><Parameter Name=\"OpportunityClose\" Type=\"mscrm.opportunityclose\" Nullable=\"false\" />\
<Parameter Name=\"Status\" Type=\"Edm.Int32\" Nullable=\"false\" /></Action>\n\
<Action Name=\"LoseOpportunity\"><Parameter Name=\"OpportunityClose\" Type=\"mscrm.opportunityclose\" Nullable=\"false\" />\
<Parameter Name=\"Status\" Type=\"Edm.Int32\" Nullable=\"false\" /></Action>\n\
<Action Name=\"QualifyLead\" IsBound=\"true\"><Parameter Name=\"entity\" Type=\"mscrm.lead\" Nullable=\"false\" />\
<Parameter Name=\"CreateAccount\" Type=\"Edm.Boolean\" Nullable=\"false\" />\
<Parameter Name=\"CreateContact\" Type=\"Edm.Boolean\" Nullable=\"false\" />\
<Parameter Name=\"CreateOpportunity\" Type=\"Edm.Boolean\" Nullable=\"false\" />\
<Parameter Name=\"OpportunityCurrencyId\" Type=\"mscrm.transactioncurrency\" />\
<Parameter Name=\"OpportunityCustomerId\" Type=\"mscrm.crmbaseentity\" />\
<Parameter Name=\"Status\" Type=\"Edm.Int32\" Nullable=\"false\" />\
<ReturnType Type=\"Collection(mscrm.crmbaseentity)\" Nullable=\"false\" /></Action>\n";

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_model_is_well_formed_and_its_references_lead_somewhere() {
        let text = document(&Schema::default());
        let tree = roxmltree::Document::parse(&text).unwrap();
        let named = |kind: &str| -> Vec<String> {
            let nodes =
                tree.descendants().filter(|node| node.has_tag_name(("http://docs.oasis-open.org/odata/ns/edm", kind)));
            nodes.filter_map(|node| node.attribute("Name")).map(str::to_owned).collect()
        };
        let types = named("EntityType");
        for node in tree.descendants().filter(|node| node.tag_name().name() == "NavigationProperty") {
            let kind = node.attribute("Type").unwrap();
            let kind = kind.trim_start_matches("Collection(").trim_end_matches(')').strip_prefix("mscrm.").unwrap();
            assert!(types.iter().any(|name| name == kind), "{kind}");
        }
        assert!(named("EntitySet").contains(&"opportunities".to_owned()));
        let opportunity = tree.descendants().find(|node| node.attribute("Name") == Some("opportunity")).unwrap();
        let customer =
            opportunity.children().find(|node| node.attribute("Name") == Some("customerid_account")).unwrap();
        let constraint = customer.first_element_child().unwrap();
        assert_eq!(constraint.attribute("Property"), Some("_customerid_value"));
        assert_eq!(constraint.attribute("ReferencedProperty"), Some("accountid"));
    }
}
