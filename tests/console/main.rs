//! The console as people have it: in a browser, over a service that keeps two systems in step.
//!
//! `browser` is a real one without a window, `audit` looks whether everybody can use a page, `world` is the service and what
//! it works on; then a module for what people do.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod audit;
mod browser;
mod crawl;
mod driver;
#[allow(dead_code)]
#[path = "../serving/service.rs"]
mod service;
#[allow(dead_code)]
#[path = "../serving/slow.rs"]
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod world;

mod acts;
mod deals;
mod flows;
mod hostile;
mod overview;
mod pictures;
mod runs;
mod sign_in;
