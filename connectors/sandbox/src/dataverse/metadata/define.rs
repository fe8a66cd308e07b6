//! Definitions made, changed and removed ("Create and update table definitions using the Web API"): tables, columns, keys,
//! relationships and shared choices. What is defined can be used at once.

use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::column::{adjust, attribute, custom_name, invalid, label, options, text};
use super::describe::{Family, metadata_id, relationship_id, relationships};
use super::{column_of, matches, missing, object, table_of, unserved};
use crate::dataverse::address::{Segment, Selector};
use crate::dataverse::call::Call;
use crate::dataverse::errors::{Answer, Refusal};
use crate::dataverse::read::json_response;
use crate::dataverse::schema::{
    ACTIVE_INACTIVE, Column, GlobalChoice, Key, Kind, Link, OnDelete, Table, Target, keep_text, new_column, new_table,
};
use crate::dataverse::store::Store;
use crate::dataverse::{seed, write};

/// Answers a request that changes definitions.
pub(super) fn serve(store: &mut Store, call: &Call) -> Answer<Response> {
    let root = &call.segments[0];
    let rest = &call.segments[1..];
    match (root.name.as_str(), &call.method, &root.key, rest) {
        ("EntityDefinitions", &Method::POST, None, []) => {
            let table = entity(store, &call.object()?)?;
            created(call, format!("EntityDefinitions({})", metadata_id(&[&table.logical])))
        }
        ("EntityDefinitions", &Method::DELETE, Some(key), []) => {
            let table = table_of(store.schema(), key)?;
            drop_table(store, call, table)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("EntityDefinitions", &Method::PUT, Some(key), []) => {
            let table = relabelled(table_of(store.schema(), key)?, &call.object()?);
            store.schema_mut().put_table(table);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("EntityDefinitions", method, Some(key), [segment]) => {
            let table = table_of(store.schema(), key)?;
            match (segment.name.as_str(), method) {
                ("Attributes", &Method::POST) if segment.key.is_none() => {
                    let column = attribute(store.schema(), &call.object()?)?;
                    let id = metadata_id(&[&table.logical, &column.logical]);
                    add_column(store, table, column)?;
                    created(call, format!("{}({id})", call.path))
                }
                ("Attributes", &Method::PUT) => change_column(store, call, table, segment),
                ("Attributes", &Method::DELETE) => drop_column(store, table, segment),
                ("Keys", &Method::POST) if segment.key.is_none() => add_key(store, call, table),
                ("Keys", &Method::DELETE) => drop_key(store, table, segment),
                _ => Err(unserved(call)),
            }
        }
        ("RelationshipDefinitions", &Method::POST, None, []) => add_relationship(store, call),
        ("RelationshipDefinitions", &Method::DELETE, Some(key), []) => drop_relationship(store, key),
        ("GlobalOptionSetDefinitions", &Method::POST, None, []) => {
            let body = call.object()?;
            let name = text(&body, "Name")?;
            if store.schema().choices().any(|choice| choice.name == name.to_lowercase()) {
                return Err(duplicate(&format!("The choice '{name}'")));
            }
            let choice = GlobalChoice {
                name: name.to_lowercase(),
                display: label(&body, "DisplayName").unwrap_or_else(|| name.clone()),
                options: options(&Value::Object(body))?,
            };
            let id = metadata_id(&["choice", &choice.name]);
            store.schema_mut().put_choice(choice);
            created(call, format!("GlobalOptionSetDefinitions({id})"))
        }
        ("GlobalOptionSetDefinitions", &Method::DELETE, Some(key), []) => {
            let all = store.schema().choices();
            let found = all.map(|choice| (choice, super::describe::global_choice(choice)));
            let found = found.into_iter().find(|(_, row)| matches(row, key, "Name"));
            let (choice, _) = found.ok_or_else(|| missing(key))?;
            let used = |column: &Column| column.kind.options().is_some_and(|used| std::ptr::eq(used, choice.options));
            if store.schema().tables().any(|table| table.columns.iter().any(used)) {
                return Err(in_use(&format!("The choice '{}'", choice.name), "columns use it"));
            }
            store.schema_mut().drop_choice(&choice.name);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(unserved(call)),
    }
}

/// `POST /CreateEntities`: several tables with their columns, all or none.
pub(super) fn create_entities(store: &mut Store, call: &Call) -> Answer<Response> {
    let body = call.object()?;
    let Some(Value::Array(entities)) = body.get("Entities") else {
        return Err(invalid("CreateEntities takes its tables as an array in 'Entities'."));
    };
    let mut ids = Vec::new();
    for definition in entities {
        let table = entity(store, &object(definition.clone()))?;
        ids.push(metadata_id(&[&table.logical]));
    }
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.CreateEntitiesResponse", call.base);
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "EntityIds": ids })))
}

fn entity(store: &mut Store, body: &Map<String, Value>) -> Answer<&'static Table> {
    let schema_name = custom_name(body)?;
    let logical = schema_name.to_lowercase();
    if store.schema().table(&logical).is_some() {
        return Err(duplicate(&format!("The table '{schema_name}'")));
    }
    let attributes = body.get("Attributes").and_then(Value::as_array).cloned().unwrap_or_default();
    let attributes: Vec<Map<String, Value>> = attributes.into_iter().map(object).collect();
    let is_name = |body: &&Map<String, Value>| body.get("IsPrimaryName") == Some(&json!(true));
    let primary = attributes.iter().find(is_name);
    let primary = primary.ok_or_else(|| invalid("A table needs one text column with IsPrimaryName: true."))?;
    let primary = text(primary, "SchemaName")?.to_lowercase();
    let columns = attributes.iter().map(|body| attribute(store.schema(), body)).collect::<Answer<Vec<_>>>()?;
    let set = match body.get("EntitySetName").and_then(Value::as_str) {
        Some(set) => set.to_owned(),
        None => plural(&logical),
    };
    let number = 10_300 + i64::try_from(store.schema().tables().count()).unwrap_or_default();
    let states = ACTIVE_INACTIVE;
    let mut table = new_table(keep_text(&schema_name), keep_text(&set), keep_text(&primary), number, states, columns);
    if body.get("OwnershipType").and_then(Value::as_str) != Some("OrganizationOwned") {
        table = table.owned();
    }
    let repeated = table
        .columns
        .iter()
        .enumerate()
        .find(|(at, column)| table.columns[..*at].iter().any(|before| before.logical == column.logical));
    if let Some((_, column)) = repeated {
        return Err(duplicate(&format!("The column '{}'", column.schema)));
    }
    let table = relabelled(&table, body);
    let table = store.schema_mut().put_table(table);
    seed::message_filters(store, table);
    Ok(table)
}

/// `table` with the labels of `body`.
fn relabelled(table: &Table, body: &Map<String, Value>) -> Table {
    let mut table = table.clone();
    for (name, place) in [
        ("DisplayName", &mut table.display),
        ("DisplayCollectionName", &mut table.display_plural),
        ("Description", &mut table.description),
    ] {
        if let Some(text) = label(body, name) {
            *place = text;
        }
    }
    table
}

fn drop_table(store: &mut Store, call: &Call, table: &'static Table) -> Answer<()> {
    if !table.custom() || table.logical.starts_with("msft_") {
        return Err(managed(&format!("The table '{}'", table.logical)));
    }
    let writer = write::Writer { user: call.user, now: call.now };
    let ids: Vec<Uuid> = store.rows(table).map(|row| row.id).collect();
    for id in ids {
        write::delete(store, writer, table, id)?;
    }
    seed::drop_message_filters(store, table);
    store.schema_mut().drop_table(&table.logical);
    Ok(())
}

fn add_column(store: &mut Store, table: &Table, column: Column) -> Answer<()> {
    if table.column(&column.logical).is_some() {
        return Err(duplicate(&format!("The column '{}'", column.schema)));
    }
    let mut table = table.clone();
    let first_money = matches!(column.kind, Kind::Money { .. }) && !table.has_money();
    if let Kind::Money { min, max, .. } = column.kind {
        let kind = Kind::Money { min, max, precision: 4 };
        table.columns.push(new_column(&format!("{}_Base", column.schema), kind).computed());
    }
    table.columns.push(column);
    if first_money {
        table = table.with_currency();
    }
    store.schema_mut().put_table(table);
    Ok(())
}

/// `PUT …/Attributes(id)` with the whole definition: labels, lengths and limits may change, the type may not.
fn change_column(store: &mut Store, call: &Call, table: &Table, segment: &Segment) -> Answer<Response> {
    let key = segment.key.as_ref().ok_or_else(Refusal::method)?;
    let table = store.schema().table(&table.logical).ok_or_else(|| missing(key))?;
    let column = column_of(table, key)?;
    let body = call.object()?;
    let mut changed = column.clone();
    adjust(&mut changed, &body);
    let integer = |name: &str| body.get(name).and_then(Value::as_i64);
    let number = |name: &str| body.get(name).and_then(Value::as_f64);
    match &mut changed.kind {
        Kind::Text { max, .. } | Kind::Memo { max } => {
            *max = integer("MaxLength").and_then(|length| usize::try_from(length).ok()).unwrap_or(*max);
        }
        Kind::Integer { min, max } => {
            *min = integer("MinValue").unwrap_or(*min);
            *max = integer("MaxValue").unwrap_or(*max);
        }
        Kind::Money { min, max, precision }
        | Kind::Decimal { min, max, precision }
        | Kind::Double { min, max, precision } => {
            *min = number("MinValue").unwrap_or(*min);
            *max = number("MaxValue").unwrap_or(*max);
            *precision = integer("Precision").and_then(|value| u32::try_from(value).ok()).unwrap_or(*precision);
        }
        _ => {}
    }
    let mut table = table.clone();
    for place in &mut table.columns {
        if place.logical == changed.logical {
            *place = changed.clone();
        }
    }
    store.schema_mut().put_table(table);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn drop_column(store: &mut Store, table: &Table, segment: &Segment) -> Answer<Response> {
    let key = segment.key.as_ref().ok_or_else(Refusal::method)?;
    let table = store.schema().table(&table.logical).ok_or_else(|| missing(key))?;
    let column = column_of(table, key)?;
    if !column.custom() || column.logical.starts_with("msft_") || column.logical == table.primary_name {
        return Err(managed(&format!("The column '{}'", column.logical)));
    }
    if table.keys.iter().any(|key| key.columns.contains(&column.logical.as_str())) {
        return Err(in_use(&format!("The column '{}'", column.logical), "an alternate key uses it"));
    }
    without_column(store, table, column);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes a column and its values away.
fn without_column(store: &mut Store, table: &'static Table, column: &Column) {
    let base = format!("{}_base", column.logical);
    let gone = |name: &str| name == column.logical || name == base;
    let rows: Vec<_> = store.rows(table).filter(|row| row.get(column).is_some()).cloned().collect();
    let mut changed = table.clone();
    changed.columns.retain(|column| !gone(&column.logical));
    let changed = store.schema_mut().put_table(changed);
    for mut row in rows {
        row.cells.retain(|name, _| !gone(name));
        store.put(changed, row);
    }
}

fn add_key(store: &mut Store, call: &Call, table: &Table) -> Answer<Response> {
    let body = call.object()?;
    let name = text(&body, "SchemaName")?;
    let columns: Vec<String> = body
        .get("KeyAttributes")
        .and_then(Value::as_array)
        .map(|columns| columns.iter().filter_map(Value::as_str).map(str::to_lowercase).collect())
        .unwrap_or_default();
    if columns.is_empty() {
        return Err(invalid("A key needs the logical names of its columns in KeyAttributes."));
    }
    if let Some(column) = columns.iter().find(|column| table.column(column).is_none()) {
        return Err(invalid(format!("'{}' entity doesn't contain attribute with Name = '{column}'.", table.logical)));
    }
    if table.keys.iter().any(|key| key.name.eq_ignore_ascii_case(&name)) {
        return Err(duplicate(&format!("The key '{name}'")));
    }
    let key = Key::of(&name, &label(&body, "DisplayName").unwrap_or_else(|| name.clone()), &columns);
    let mut seen = Vec::new();
    for row in store.rows(table) {
        let part: Option<Vec<_>> = key.columns.iter().map(|name| Some(row.cells.get(*name)?.sort_key())).collect();
        if let Some(part) = part {
            if seen.contains(&part) {
                return Err(Refusal::duplicate_key(&name));
            }
            seen.push(part);
        }
    }
    let mut changed = table.clone();
    changed.keys.push(key);
    store.schema_mut().put_table(changed);
    let id = metadata_id(&[&table.logical, &name]);
    // The address repeats the one posted to, as Microsoft's own client expects (inferred).
    created(call, format!("{}({id})", call.path))
}

fn drop_key(store: &mut Store, table: &Table, segment: &Segment) -> Answer<Response> {
    let selector = segment.key.as_ref().ok_or_else(Refusal::method)?;
    let mut changed = table.clone();
    let rows = super::describe::keys(table);
    let found = rows.iter().position(|row| matches(row, selector, "LogicalName")).ok_or_else(|| missing(selector))?;
    changed.keys.remove(found);
    store.schema_mut().put_table(changed);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn add_relationship(store: &mut Store, call: &Call) -> Answer<Response> {
    let body = call.object()?;
    let name = custom_name(&body)?;
    if relationships(store.schema(), None, Family::All).iter().any(|row| row["SchemaName"] == name.as_str()) {
        return Err(duplicate(&format!("The relationship '{name}'")));
    }
    let table = |field: &str| -> Answer<&'static Table> {
        let logical = text(&body, field)?;
        store
            .schema()
            .table(&logical)
            .ok_or_else(|| invalid(format!("The table '{logical}' in {field} does not exist.")))
    };
    let kind = text(&body, "@odata.type")?;
    match kind.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.") {
        "OneToManyRelationshipMetadata" => {
            let (referenced, referencing) = (table("ReferencedEntity")?, table("ReferencingEntity")?);
            let lookup = object(body.get("Lookup").cloned().unwrap_or_default());
            let schema_name = custom_name(&lookup)?;
            let on_delete = match body.get("CascadeConfiguration").and_then(|cascade| cascade["Delete"].as_str()) {
                Some("Cascade") => OnDelete::Cascade,
                Some("Restrict") => OnDelete::Restrict,
                _ => OnDelete::Clear,
            };
            let target = Target::of(&referenced.logical, &schema_name, &name, on_delete);
            let mut column = new_column(&schema_name, Kind::Lookup(vec![target]));
            adjust(&mut column, &lookup);
            add_column(store, referencing, column)?;
        }
        "ManyToManyRelationshipMetadata" => {
            let (first, second) = (table("Entity1LogicalName")?, table("Entity2LogicalName")?);
            let named = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or(&name).to_owned();
            let mut navigations = [named("Entity1NavigationPropertyName"), named("Entity2NavigationPropertyName")];
            if first.logical == second.logical && navigations[0] == navigations[1] {
                // The two ends on one table need two names (inferred).
                navigations[1] = format!("{}_referenced", navigations[1]);
            }
            let intersect = named("IntersectEntityName").to_lowercase();
            let tables = [first.logical.as_str(), second.logical.as_str()];
            store.schema_mut().put_link(Link { name: name.clone(), intersect, tables, navigations });
        }
        other => return Err(Refusal::outside(format!("relationships of the type {other}"))),
    }
    created(call, format!("RelationshipDefinitions({})", relationship_id(&name)))
}

fn drop_relationship(store: &mut Store, key: &Selector) -> Answer<Response> {
    let all = relationships(store.schema(), None, Family::All);
    let found = all.into_iter().find(|row| matches(row, key, "SchemaName")).ok_or_else(|| missing(key))?;
    let name = found["SchemaName"].as_str().unwrap_or_default();
    if found["RelationshipType"] == "ManyToManyRelationship" {
        store.schema_mut().drop_link(name);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if found["IsCustomRelationship"] != json!(true) || name.starts_with("msft_") {
        return Err(managed(&format!("The relationship '{name}'")));
    }
    let owner = store.schema().table(found["ReferencingEntity"].as_str().unwrap_or_default());
    let column = owner.and_then(|table| table.column(found["ReferencingAttribute"].as_str()?));
    if let (Some(owner), Some(column)) = (owner, column) {
        without_column(store, owner, column);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn created(call: &Call, path: String) -> Answer<Response> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(address) = HeaderValue::from_str(&format!("{}/{path}", call.base)) {
        response.headers_mut().insert("odata-entityid", address);
    }
    Ok(response)
}

/// The entity set of a table that does not name one (inferred from published examples).
fn plural(logical: &str) -> String {
    let vowel_before_y = logical.chars().rev().nth(1).is_some_and(|char| "aeiou".contains(char));
    if let Some(stem) = logical.strip_suffix('y').filter(|_| !vowel_before_y) {
        format!("{stem}ies")
    } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| logical.ends_with(end)) {
        format!("{logical}es")
    } else {
        format!("{logical}s")
    }
}

fn duplicate(what: &str) -> Refusal {
    Refusal::bad("0x80044363", format!("{what} already exists; choose another schema name."))
}

fn in_use(what: &str, why: &str) -> Refusal {
    Refusal::bad("0x8004f01f", format!("{what} cannot be deleted: {why}."))
}

fn managed(what: &str) -> Refusal {
    Refusal::bad(
        "0x80045006",
        format!("{what} belongs to the platform or to a managed solution and cannot be deleted."),
    )
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn entity_sets_are_plurals() {
        for (name, set) in
            [("new_thing", "new_things"), ("new_city", "new_cities"), ("new_box", "new_boxes"), ("new_day", "new_days")]
        {
            assert_eq!(plural(name), set);
        }
    }
}
