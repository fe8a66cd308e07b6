//! Whose certificate counts, and which addresses are asked for one.

use cosell_sdk::stub::Reply;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, date_time_ymd};
use serde_json::json;

use crate::microsoft::{event, name, proper};
use crate::world::{ID, World};

/// The status of an event whose certificate is at this address.
async fn status(world: &World, address: &str) -> u16 {
    let body = event(ID);
    world.event(&world.microsoft.headers(address, &body), body).await
}

#[tokio::test]
async fn only_a_certificate_of_microsoft_for_signing_and_for_today_counts() {
    type Change = fn(&mut CertificateParams);
    let world = World::new().await;
    let rows: [(&str, u16, Change); 9] = [
        ("as it should be", 200, |_| {}),
        ("for signing, among other things", 200, |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        }),
        ("expired", 401, |params| params.not_after = date_time_ymd(2026, 1, 1)),
        ("not yet valid", 401, |params| params.not_before = date_time_ymd(2099, 1, 1)),
        ("another organisation's", 401, |params| params.distinguished_name = name("Fabrikam", "dispatch")),
        ("with Microsoft's name elsewhere", 401, |params| {
            params.distinguished_name = name("Fabrikam", "Microsoft Corporation");
        }),
        ("for keys and not for signing", 401, |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
        ("for certificates and not for signing", 401, |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
        ("an authority's", 401, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
    ];
    for (number, (what, expected, change)) in rows.into_iter().enumerate() {
        let mut params = proper(&world.list());
        change(&mut params);
        let file = format!("row-{number}");
        world.publish(&file, world.microsoft.issue(params));
        assert_eq!(status(&world, &world.address(&file)).await, expected, "the certificate is {what}");
    }
    world.publish("self", world.microsoft.issue_by_itself(proper(&world.list())));
    assert_eq!(status(&world, &world.address("self")).await, 401, "the certificate is signed by itself");
    assert_eq!(world.runs(), 1, "one event, however often it comes");
}

#[tokio::test]
async fn what_the_authority_took_back_counts_no_more() {
    let world = World::new().await;
    let revoked = format!("{}/pki/revoked.crl", world.certificates.origin());
    let list = Reply::bytes(200, "application/pkix-crl", world.microsoft.list(true));
    world.certificates.on("GET", "/pki/revoked.crl", [list]);
    world.publish("revoked", world.microsoft.issue(proper(&revoked)));
    assert_eq!(status(&world, &world.address("revoked")).await, 401);
    // A list on a host that is not known is not asked for, and nothing is believed without one.
    let foreign = format!("{}/root.crl", world.elsewhere.origin());
    world.publish("foreign-list", world.microsoft.issue(proper(&foreign)));
    assert_eq!(status(&world, &world.address("foreign-list")).await, 401);
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn nobody_is_asked_for_a_certificate_but_its_hosts() {
    let world = World::new().await;
    let host = world.certificates.origin().replace("http://", "");
    let elsewhere = world.elsewhere.origin();
    for address in [
        format!("{elsewhere}/cert/dispatch.cer"),
        format!("http://{host}@{}/cert/dispatch.cer", elsewhere.replace("http://", "")),
        format!("http://{host}.evil.example/cert/dispatch.cer"),
        format!("ftp://{host}/cert/dispatch.cer"),
        format!("file://{host}/cert/dispatch.cer"),
        format!("http://{host}/cert/dispatch.cer?x=1"),
        format!("http://{host}/cert/../cert/x/dispatch.cer"),
        "https://169.254.169.254/cert/dispatch.cer".to_owned(),
        "https://127.0.0.1/cert/dispatch.cer".to_owned(),
        "https://[::1]/cert/dispatch.cer".to_owned(),
        "https://localhost/cert/dispatch.cer".to_owned(),
        "//cert/dispatch.cer".to_owned(),
    ] {
        assert_eq!(status(&world, &address).await, 401, "{address}");
    }
    assert_eq!((world.runs(), world.certificates.lines().len()), (0, 0), "nobody was asked");
}

#[tokio::test]
async fn plain_http_is_for_the_sandbox_alone() {
    let world = World::with(json!({ "partner_center_events": { "allow_http_certificates": false } })).await;
    assert_eq!(status(&world, &world.address("dispatch")).await, 401);
    assert_eq!((world.runs(), world.certificates.lines().len()), (0, 0));
}

#[tokio::test]
async fn a_certificate_host_leads_nowhere_else_and_says_little() {
    let world = World::new().await;
    let target = format!("{}/cert/dispatch.cer", world.elsewhere.origin());
    for (number, status_code) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let moved = Reply::empty(status_code).header("location", &target);
        world.certificates.on("GET", &format!("/cert/moved-{number}.cer"), [moved]);
        assert_eq!(status(&world, &world.address(&format!("moved-{number}"))).await, 401, "{status_code}");
    }
    world.publish("huge", vec![b'x'; 10_000_000]);
    assert_eq!(status(&world, &world.address("huge")).await, 401);
    world.publish("rubbish", b"<html>".to_vec());
    assert_eq!(status(&world, &world.address("rubbish")).await, 401);
    world.certificates.on("GET", "/cert/busy.cer", [Reply::empty(503)]);
    assert_eq!(status(&world, &world.address("busy")).await, 503, "what cannot be decided now may be sent again");
    assert_eq!(world.runs(), 0);
}
