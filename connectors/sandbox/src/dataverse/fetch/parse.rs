//! FetchXML read into a query. What it may hold beyond the common part is refused as outside the sandbox.

use roxmltree::{Document, Node as Xml};

use super::{Aggregate, Attribute, Link, Node, Order, Query};
use crate::dataverse::call::PAGE_LIMIT;
use crate::dataverse::errors::{Answer, Refusal};
use crate::dataverse::filter::{Comparison, Filter, Path, condition, text_key};
use crate::dataverse::query::Scope;
use crate::dataverse::schema::{Column, Kind, Table};

/// Links that one query may hold ("up to 15 link-entity elements").
const LINKS: usize = 15;

/// Reads `text` as a query on `table`.
pub(super) fn parse(text: &str, table: &'static Table, scope: Scope<'_>) -> Answer<Query> {
    let document = Document::parse(text).map_err(|error| invalid(format!("it is not well formed: {error}")))?;
    let fetch = document.root_element();
    if !fetch.has_tag_name("fetch") {
        return Err(invalid("its root is not <fetch>"));
    }
    only(
        fetch,
        &[
            "version",
            "mapping",
            "output-format",
            "distinct",
            "top",
            "count",
            "page",
            "paging-cookie",
            "returntotalrecordcount",
            "aggregate",
            "no-lock",
            "savedqueryid",
        ],
    )?;
    let entities: Vec<Xml<'_, '_>> = elements(fetch).collect();
    let [entity] = entities.as_slice() else {
        return Err(invalid("<fetch> holds one <entity>"));
    };
    let name = needed(*entity, "name")?;
    if !entity.has_tag_name("entity") || name != table.logical {
        return Err(invalid(format!("its entity '{name}' is not the table '{}' of the address", table.logical)));
    }
    let number = |attribute: &str| -> Answer<Option<usize>> {
        fetch
            .attribute(attribute)
            .map(|text| {
                text.parse()
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(|| invalid(format!("{attribute} is '{text}', not a number above 0")))
            })
            .transpose()
    };
    let mut reader = Reader { scope, links: 0, order: Vec::new(), aggregate: flag(fetch, "aggregate")? };
    let root = reader.node(*entity, table, String::new(), None)?;
    let query = Query {
        root,
        top: number("top")?,
        count: number("count")?,
        page: number("page")?.unwrap_or(1),
        distinct: flag(fetch, "distinct")?,
        aggregate: reader.aggregate,
        total: flag(fetch, "returntotalrecordcount")?,
        order: reader.order,
    };
    if query.top.is_some() && (query.count.is_some() || fetch.has_attribute("page")) {
        return Err(invalid("top cannot be combined with page or count"));
    }
    if query.top.or(query.count).is_some_and(|rows| rows > PAGE_LIMIT) {
        return Err(invalid(format!("a page holds {PAGE_LIMIT} rows at most")));
    }
    Ok(query)
}

struct Reader<'a> {
    scope: Scope<'a>,
    links: usize,
    order: Vec<Order>,
    aggregate: bool,
}

impl Reader<'_> {
    fn node(&mut self, xml: Xml<'_, '_>, table: &'static Table, alias: String, link: Option<Link>) -> Answer<Node> {
        let mut node = Node { table, alias, link, attributes: Vec::new(), filters: Vec::new(), links: Vec::new() };
        for child in elements(xml) {
            match child.tag_name().name() {
                "all-attributes" => {
                    let all = table.columns.iter().filter(|column| column.read);
                    node.attributes.extend(all.map(|column| Attribute {
                        column,
                        alias: None,
                        aggregate: None,
                        group: false,
                    }));
                }
                "attribute" => node.attributes.push(self.attribute(child, table)?),
                "filter" => {
                    if let Some(filter) = self.filter(child, table)? {
                        node.filters.push(filter);
                    }
                }
                "order" => self.order(child, table, &node.alias)?,
                "link-entity" => {
                    let link = self.link(child, table)?;
                    node.links.push(link);
                }
                other => return Err(Refusal::outside(format!("<{other}> in FetchXML"))),
            }
        }
        Ok(node)
    }

    fn attribute(&self, xml: Xml<'_, '_>, table: &'static Table) -> Answer<Attribute> {
        only(xml, &["name", "alias", "aggregate", "groupby", "distinct"])?;
        let column = column(table, needed(xml, "name")?)?;
        let distinct = flag(xml, "distinct")?;
        let aggregate = match xml.attribute("aggregate") {
            None => None,
            Some(_) if !self.aggregate => return Err(invalid("an attribute has aggregate, but <fetch> has not")),
            Some("count") => Some(Aggregate::Count),
            Some("countcolumn") if distinct => Some(Aggregate::CountDistinct),
            Some("countcolumn") => Some(Aggregate::CountColumn),
            Some("sum") => Some(Aggregate::Sum),
            Some("avg") => Some(Aggregate::Average),
            Some("min") => Some(Aggregate::Least),
            Some("max") => Some(Aggregate::Greatest),
            Some(other) => return Err(invalid(format!("'{other}' is not an aggregate"))),
        };
        let group = flag(xml, "groupby")?;
        let alias = xml.attribute("alias").map(str::to_owned);
        if self.aggregate && (alias.is_none() || (aggregate.is_none() && !group)) {
            let message = "in an aggregate query each attribute has an alias, and aggregate or groupby";
            return Err(invalid(message));
        }
        Ok(Attribute { column, alias, aggregate, group })
    }

    fn order(&mut self, xml: Xml<'_, '_>, table: &'static Table, node: &str) -> Answer<()> {
        only(xml, &["attribute", "alias", "descending"])?;
        let alias = xml.attribute("alias").map(str::to_owned);
        let path = xml.attribute("attribute").map(|name| column(table, name).map(Path::direct)).transpose()?;
        if path.is_none() && alias.is_none() {
            return Err(invalid("<order> names an attribute or an alias"));
        }
        self.order.push(Order { node: node.to_owned(), path, alias, falls: flag(xml, "descending")? });
        Ok(())
    }

    fn link(&mut self, xml: Xml<'_, '_>, parent: &'static Table) -> Answer<Node> {
        only(xml, &["name", "from", "to", "alias", "link-type", "intersect", "visible"])?;
        self.links += 1;
        if self.links > LINKS {
            return Err(invalid(format!("a query holds {LINKS} link-entity elements at most")));
        }
        let name = needed(xml, "name")?;
        let table =
            self.scope.store.schema().table(name).ok_or_else(|| Refusal::outside(format!("the table '{name}'")))?;
        let outer = match xml.attribute("link-type") {
            None | Some("inner") => false,
            Some("outer") => true,
            Some(other) => return Err(Refusal::outside(format!("link-type '{other}' in FetchXML"))),
        };
        // Without from and to, the link follows the one lookup between the tables.
        let between = |from: &'static Table, to: &'static Table| {
            from.columns.iter().find(|column| column.targets().iter().any(|target| target.table == to.logical))
        };
        let (from, to) = match (xml.attribute("from"), xml.attribute("to")) {
            (Some(from), Some(to)) => (column(table, from)?, column(parent, to)?),
            (None, None) => match (between(parent, table), between(table, parent)) {
                (Some(lookup), _) => (column(table, &table.primary_id)?, lookup),
                (None, Some(lookup)) => (lookup, column(parent, &parent.primary_id)?),
                (None, None) => return Err(invalid(format!("no relationship leads to '{name}'; give from and to"))),
            },
            _ => return Err(invalid("<link-entity> has both from and to, or neither")),
        };
        let alias = xml.attribute("alias").map_or_else(|| format!("{name}{}", self.links), str::to_owned);
        self.node(xml, table, alias, Some(Link { from, to, outer }))
    }

    fn filter(&self, xml: Xml<'_, '_>, table: &'static Table) -> Answer<Option<Filter>> {
        only(xml, &["type"])?;
        let any = match xml.attribute("type") {
            None | Some("and") => false,
            Some("or") => true,
            Some(other) => return Err(invalid(format!("the filter type is '{other}'; expected and or or"))),
        };
        let mut joined: Option<Filter> = None;
        for child in elements(xml) {
            let next = match child.tag_name().name() {
                "condition" => Some(self.condition(child, table)?),
                "filter" => self.filter(child, table)?,
                other => return Err(Refusal::outside(format!("<{other}> in a filter of FetchXML"))),
            };
            joined = match (joined, next) {
                (Some(left), Some(right)) if any => Some(Filter::Or(Box::new(left), Box::new(right))),
                (Some(left), Some(right)) => Some(Filter::And(Box::new(left), Box::new(right))),
                (left, right) => left.or(right),
            };
        }
        Ok(joined)
    }

    fn condition(&self, xml: Xml<'_, '_>, table: &'static Table) -> Answer<Filter> {
        only(xml, &["attribute", "operator", "value", "uiname", "uitype"])?;
        let column = column(table, needed(xml, "attribute")?)?;
        let path = Path::direct(column);
        let operator = needed(xml, "operator")?;
        let mut values: Vec<String> = xml.attribute("value").map(str::to_owned).into_iter().collect();
        for child in elements(xml) {
            values.push(child.text().unwrap_or_default().to_owned());
        }
        let not = |filter| Filter::Not(Box::new(filter));
        let comparison = match operator {
            "eq" => Some(Comparison::Equal),
            "ne" | "neq" => Some(Comparison::NotEqual),
            "gt" => Some(Comparison::Greater),
            "ge" => Some(Comparison::GreaterOrEqual),
            "lt" => Some(Comparison::Less),
            "le" => Some(Comparison::LessOrEqual),
            _ => None,
        };
        if let Some(comparison) = comparison {
            let [value] = values.as_slice() else {
                return Err(invalid(format!("the operator '{operator}' takes one value")));
            };
            let key = text_key(column, value).ok_or_else(|| {
                invalid(format!("'{value}' is not a value of '{}' ({})", column.logical, column.edm()))
            })?;
            return Ok(Filter::Compare(path, comparison, Some(key)));
        }
        Ok(match (operator, values.as_slice()) {
            ("null", []) => Filter::Compare(path, Comparison::Equal, None),
            ("not-null", []) => Filter::Compare(path, Comparison::NotEqual, None),
            ("like", [pattern]) => like(path, pattern)?,
            ("not-like", [pattern]) => not(like(path, pattern)?),
            ("begins-with", [text]) => like(path, &format!("{text}%"))?,
            ("not-begin-with", [text]) => not(like(path, &format!("{text}%"))?),
            ("ends-with", [text]) => like(path, &format!("%{text}"))?,
            ("not-end-with", [text]) => not(like(path, &format!("%{text}"))?),
            // The others are the query functions of the Web API under another name.
            _ => condition(&camel(operator), path, &values, self.scope).map_err(|refusal| {
                if refusal.status.as_u16() == 501 {
                    Refusal::outside(format!("the operator '{operator}' in FetchXML"))
                } else {
                    refusal
                }
            })?,
        })
    }
}

/// `last-x-days` as the Web API calls it: `LastXDays`.
fn camel(operator: &str) -> String {
    let name: String = operator
        .split('-')
        .map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>())
        .collect();
    match name.as_str() {
        "EqUserid" => "EqualUserId".to_owned(),
        "NeUserid" => "NotEqualUserId".to_owned(),
        "NotContainValues" => "DoesNotContainValues".to_owned(),
        "LastSevenDays" => "Last7Days".to_owned(),
        "NextSevenDays" => "Next7Days".to_owned(),
        "OlderthanXDays" => "OlderThanXDays".to_owned(),
        _ => name,
    }
}

fn like(path: Path, pattern: &str) -> Answer<Filter> {
    if matches!(path.column.kind, Kind::Text { .. } | Kind::Memo { .. }) {
        return Ok(Filter::Like(path, pattern.to_lowercase()));
    }
    Err(invalid(format!("like needs a text column; '{}' is {}", path.column.logical, path.column.edm())))
}

fn column(table: &'static Table, name: &str) -> Answer<&'static Column> {
    table.column(name).ok_or_else(|| {
        let message = format!("'{}' entity doesn't contain attribute with Name = '{name}'.", table.logical);
        Refusal::bad("0x80041103", message)
    })
}

fn elements<'a, 'b>(xml: Xml<'a, 'b>) -> impl Iterator<Item = Xml<'a, 'b>> {
    xml.children().filter(Xml::is_element)
}

fn needed<'a>(xml: Xml<'a, '_>, name: &str) -> Answer<&'a str> {
    xml.attribute(name).ok_or_else(|| invalid(format!("<{}> has no {name}", xml.tag_name().name())))
}

fn flag(xml: Xml<'_, '_>, name: &str) -> Answer<bool> {
    match xml.attribute(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(invalid(format!("{name} is '{other}'; expected true or false"))),
    }
}

/// Refuses attributes of an element that the sandbox does not know.
fn only(xml: Xml<'_, '_>, known: &[&str]) -> Answer<()> {
    match xml.attributes().find(|attribute| !known.contains(&attribute.name())) {
        Some(other) => Err(Refusal::outside(format!(
            "the attribute '{}' of <{}> in FetchXML",
            other.name(),
            xml.tag_name().name()
        ))),
        None => Ok(()),
    }
}

fn invalid(what: impl std::fmt::Display) -> Refusal {
    Refusal::bad("0x80041129", format!("The FetchXML cannot be used: {what}."))
}
