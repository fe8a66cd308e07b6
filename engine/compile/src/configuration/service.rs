//! The part `service` of a configuration: where the service listens, who may use it, how much it keeps.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cosell_model::node::NodeKind;
use cosell_model::{Diagnostic, Node, Value};

use crate::read::fields::{Fields, Findings, wrong_form};
use crate::read::words;

/// Where the service listens unless something else is said: nobody outside this machine reaches it.
pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);

/// How long runs that have ended are kept, and how much is, unless something else is said.
pub const KEEP_DAYS: u32 = 90;
/// In megabytes.
pub const KEEP_MEGABYTES: u32 = 4096;

/// How the service runs. What is not given is as the constants here say, or is not there.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Its address as seen from outside, without a `/` at its end: remote systems call what is below it.
    pub public_url: Option<String>,
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// The secret that whoever looks at runs or changes them must show: a text, `{ env: NAME }` or `{ file: PATH }`.
    pub token: Option<Value>,
    /// With which certificate it speaks TLS; without one it does not.
    pub tls: Option<Tls>,
    /// How long runs that have ended are kept, in days.
    pub keep_days: Option<u32>,
    /// How much is kept at most, in megabytes.
    pub keep_megabytes: Option<u32>,
}

/// A certificate, as files relative to the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate with those of its issuers, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: String,
}

/// Reads the part; what it says takes the place of what `service` says already.
pub(super) fn read(node: &Node, service: &mut Service, findings: &mut Findings) {
    let Some(mut fields) = Fields::of(node, "`service`", findings) else { return };
    let said = Service {
        public_url: fields.take("public_url").and_then(|node| public_url(node, findings)),
        listen: fields.take("listen").and_then(|node| listen(node, findings)),
        token: fields.take("token").and_then(|node| token(node, findings)),
        tls: fields.take("tls").and_then(|node| tls(node, findings)),
        keep_days: fields.take("keep_days").and_then(|node| words::whole(node, "`keep_days`", 1, 36_500, findings)),
        keep_megabytes: fields
            .take("keep_megabytes")
            .and_then(|node| words::whole(node, "`keep_megabytes`", 10, 100_000_000, findings)),
    };
    fields.finish(findings);
    let before = std::mem::take(service);
    *service = Service {
        public_url: said.public_url.or(before.public_url),
        listen: said.listen.or(before.listen),
        token: said.token.or(before.token),
        tls: said.tls.or(before.tls),
        keep_days: said.keep_days.or(before.keep_days),
        keep_megabytes: said.keep_megabytes.or(before.keep_megabytes),
    };
}

/// An address that others call: `https://host`, with a path where a proxy has one for the service.
fn public_url(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = words::text(node, "`public_url`", findings)?;
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1"].contains(&host);
    let plain = !rest.contains(['?', '#', '@', ' ']);
    if !host.is_empty() && plain && (scheme == "https" || scheme == "http" && loopback) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    findings.push(
        Diagnostic::error(
            "wrong-address",
            format!("`{text}` cannot be the service's public address"),
            node.span,
            "not an address that others can call",
        )
        .help("write the address at which remote systems reach it, by https: `https://sync.fabrikam.example`"),
    );
    None
}

fn listen(node: &Node, findings: &mut Findings) -> Option<SocketAddr> {
    let text = words::text(node, "`listen`", findings)?;
    let address = text.parse().ok();
    if address.is_none() {
        findings.push(
            Diagnostic::error(
                "wrong-address",
                format!("`{text}` is nowhere that can be listened at"),
                node.span,
                "not an address with a port",
            )
            .help("write an IP address and a port: `127.0.0.1:7070`, or `0.0.0.0:7070` for all there are"),
        );
    }
    address
}

fn token(node: &Node, findings: &mut Findings) -> Option<Value> {
    let place = match &node.kind {
        NodeKind::Map(entries) => matches!(
            entries.as_slice(),
            [entry] if ["env", "file"].contains(&&*entry.key.value) && matches!(entry.value.kind, NodeKind::Text(_))
        ),
        _ => false,
    };
    if !place {
        findings.push(
            wrong_form(node, "`token`", "where the secret is kept").help(
                "write `{ env: COSELL_API_TOKEN }`, or `{ file: PATH }`: secrets do not stand in the configuration",
            ),
        );
        return None;
    }
    Some(node.to_value())
}

fn tls(node: &Node, findings: &mut Findings) -> Option<Tls> {
    let mut fields = Fields::of(node, "`tls`", findings)?;
    let certificate =
        fields.require("certificate", findings).and_then(|node| words::text(node, "`certificate`", findings));
    let key = fields.require("key", findings).and_then(|node| words::text(node, "`key`", findings));
    fields.finish(findings);
    Some(Tls { certificate: certificate?, key: key? })
}
