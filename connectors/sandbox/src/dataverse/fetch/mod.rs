//! FetchXML, its common part ("Query data using FetchXML"): attributes, filters, order, links, pages, distinct rows and
//! aggregates. `parse` makes a query checked against the tables, `run` answers it.

mod parse;
mod run;

use super::filter::{Filter, Path};
use super::schema::{Column, Table};

pub(super) use run::answer;

/// A query.
#[derive(Debug)]
struct Query {
    root: Node,
    top: Option<usize>,
    /// Rows a page.
    count: Option<usize>,
    page: usize,
    distinct: bool,
    aggregate: bool,
    total: bool,
    order: Vec<Order>,
}

/// A table in the query: the root, or one linked to another.
#[derive(Debug)]
struct Node {
    table: &'static Table,
    /// Name of a linked table's columns in rows; empty for the root.
    alias: String,
    /// How it is linked; none for the root.
    link: Option<Link>,
    attributes: Vec<Attribute>,
    filters: Vec<Filter>,
    links: Vec<Node>,
}

#[derive(Debug)]
struct Link {
    /// The column of the linked table.
    from: &'static Column,
    /// The column of the table it is linked to.
    to: &'static Column,
    outer: bool,
}

#[derive(Debug)]
struct Attribute {
    column: &'static Column,
    alias: Option<String>,
    aggregate: Option<Aggregate>,
    group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Aggregate {
    Count,
    CountColumn,
    CountDistinct,
    Sum,
    Average,
    Least,
    Greatest,
}

/// What rows are ordered by: a column of the node with that alias, or the alias of an aggregate.
#[derive(Debug)]
struct Order {
    node: String,
    path: Option<Path>,
    alias: Option<String>,
    falls: bool,
}
