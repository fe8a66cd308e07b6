//! An event counts only as Microsoft sent it, and once.

use crate::microsoft::{Microsoft, event, event_at, proper};
use crate::world::{ID, World};

type Headers = Vec<(String, String)>;

#[tokio::test]
async fn the_same_event_again_starts_no_second_run() {
    let world = World::new().await;
    let (mut headers, body) = world.genuine();
    for _ in 0..3 {
        assert_eq!(world.event(&headers, body.clone()).await, 200);
        headers.rotate_left(1);
    }
    // There is no time in what is signed, so an old event is taken; but the deal is read as it is now.
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn no_header_may_be_missing_empty_doubled_or_another() {
    let world = World::new().await;
    let (genuine, body) = world.genuine();
    let other = Microsoft::new().headers(&world.address("none"), &body);
    for (at, (name, value)) in genuine.iter().enumerate() {
        let with = |values: &[&str]| -> Headers {
            let rest = genuine.iter().filter(|(other, _)| other != name).cloned();
            rest.chain(values.iter().map(|value| (name.clone(), (*value).to_owned()))).collect()
        };
        let mut turned = value.clone().into_bytes();
        let middle = turned.len() / 2;
        turned[middle] ^= 1;
        let turned = String::from_utf8(turned).unwrap();
        let another = if name == "x-ms-signature-algorithm" { "rsa-sha1" } else { &other[at].1 };
        for (what, values) in [
            ("missing", &[][..]),
            ("empty", &[""]),
            ("blank", &["  "]),
            ("twice", &[value, value]),
            ("with one character changed", &[&turned]),
            ("cut in half", &[&value[..middle]]),
            ("another", &[another]),
        ] {
            assert_eq!(world.event(&with(values), body.clone()).await, 401, "{name} is {what}");
        }
    }
    let mut both = genuine.clone();
    both.push(("authorization".to_owned(), genuine[0].1.clone()));
    assert_eq!(world.event(&both, body).await, 401, "a signature in both headers");
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn no_byte_of_the_body_may_be_another() {
    let world = World::new().await;
    let (headers, body) = world.genuine();
    let text = String::from_utf8(body.clone()).unwrap();
    let compact = serde_json::from_slice::<serde_json::Value>(&body).unwrap().to_string();
    for (what, altered) in [
        ("empty", String::new()),
        ("cut by its last byte", text[..text.len() - 1].to_owned()),
        ("longer by a line break", format!("{text}\n")),
        ("without indentation", compact),
        ("about another referral", text.replace("c0a7a7d0", "c0a7a7d1")),
        ("of another event", text.replace("referral-updated", "referral-created")),
        ("of another time", text.replace("2026-11-02", "2026-11-03")),
        ("with other line ends", text.replace('\n', "\r\n")),
        ("with a mark before it", format!("\u{feff}{text}")),
        ("twice", format!("{text}{text}")),
    ] {
        assert_eq!(world.event(&headers, altered).await, 401, "the body is {what}");
    }
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_not_even_looked_at() {
    let world = World::new().await;
    let mut body = event(ID);
    body.resize(512 * 1024 + 1, b' ');
    let headers = world.microsoft.headers(&world.address("dispatch"), &body);
    assert_eq!(world.event(&headers, body).await, 413);
    assert_eq!((world.runs(), world.certificates.lines().len()), (0, 0));
}

#[tokio::test]
async fn the_address_in_an_event_is_never_called_as_it_stands() {
    let world = World::new().await;
    let elsewhere = world.elsewhere.origin();
    let addresses = [
        format!("{elsewhere}/referrals/{ID}"),
        format!("{elsewhere}/{ID}/"),
        format!("{elsewhere}/{ID}?x=/{ID}#/{ID}"),
        format!("//{}/{ID}", elsewhere.replace("http://", "")),
        format!("https://api.partner.microsoft.com@{}/{ID}", elsewhere.replace("http://", "")),
        format!("file:///etc/passwd/{ID}"),
    ];
    for (runs, address) in (1..).zip(&addresses) {
        // Each a different event, of one and the same referral.
        let body =
            String::from_utf8(event_at(address)).unwrap().replace("08:15:31", &format!("08:15:{:02}", runs + 31));
        let headers = world.microsoft.headers(&world.address("dispatch"), body.as_bytes());
        assert_eq!(world.event(&headers, body).await, 200, "{address}");
        assert_eq!(world.runs(), runs, "{address}: the referral is read at Partner Center");
    }
    for address in
        ["", ID, "../../../$metadata", &format!("{elsewhere}/{ID}/../x"), &format!("{elsewhere}/%2e%2e%2f{ID}x")]
    {
        let body = event_at(address);
        let headers = world.microsoft.headers(&world.address("dispatch"), &body);
        let expected = if address == ID { 200 } else { 400 };
        assert_eq!(world.event(&headers, body).await, expected, "{address}");
    }
    assert_eq!(world.runs(), addresses.len() + 1);
}

#[tokio::test]
async fn who_holds_another_key_signs_for_nobody() {
    let world = World::new().await;
    let stranger = Microsoft::new();
    let body = event(ID);
    // The true certificate, and a signature by a key that is not its own.
    let headers = stranger.headers(&world.address("dispatch"), &body);
    assert_eq!(world.event(&headers, body.clone()).await, 401);
    // The stranger's own certificate, put where Microsoft's are.
    world.publish("stranger", stranger.issue(proper(&world.list())));
    let headers = stranger.headers(&world.address("stranger"), &body);
    assert_eq!(world.event(&headers, body).await, 401);
    assert_eq!(world.runs(), 0);
}
