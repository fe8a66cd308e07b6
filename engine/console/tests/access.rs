//! Who gets in, and from where something can be done.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use reqwest::Method;
use reqwest::header::{LOCATION, SET_COOKIE};
use support::{Made, TOKEN};

#[tokio::test]
async fn nothing_is_shown_to_strangers_and_the_door_leads_on_to_what_they_wanted() {
    let stand = Made::default().stand().await;
    let stranger = stand.stranger();
    for path in
        ["/console", "/console/runs?flow=a%26b", "/console/nowhere", "/console/events", "/console/runs/x/events"]
    {
        let answer = stranger.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{path}");
        assert!(answer.headers()[LOCATION].to_str().unwrap().starts_with("/console/sign-in?to="), "{path}");
    }
    let answer = stranger.request(Method::GET, "/console/runs?flow=a%26b").send().await.unwrap();
    let way = answer.headers()[LOCATION].to_str().unwrap().to_owned();
    assert_eq!(way, "/console/sign-in?to=%2Fconsole%2Fruns%3Fflow%3Da%2526b");
    let page = stranger.page(&way).await;
    assert!(page.contains(r#"name="to" value="/console/runs?flow=a%26b""#), "{page}");
    let form = [("token", TOKEN), ("to", "/console/runs?flow=a%26b")];
    let answer = stranger.send(Method::POST, "/console/sign-in", &form).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[LOCATION]),
        (303, &"/console/runs?flow=a%26b".parse().unwrap())
    );
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/console; HttpOnly; SameSite=Lax"), "{cookie}");
    let answer = stranger.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(answer.headers()[LOCATION], "/console");
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_and_the_door_leads_nowhere_else() {
    let stand = Made::default().stand().await;
    let stranger = stand.stranger();
    for wrong in ["", "open", "open-sesame-"] {
        let answer = stranger.send(Method::POST, "/console/sign-in", &[("token", wrong)]).await;
        assert_eq!(answer.status(), 401, "{wrong}");
        assert!(answer.headers().get(SET_COOKIE).is_none());
    }
    for elsewhere in
        ["https://evil.example", "//evil.example", "/consoles", "/console\\..", "/console/sign-in?to=x", "/api"]
    {
        let answer = stranger.send(Method::POST, "/console/sign-in", &[("token", TOKEN), ("to", elsewhere)]).await;
        assert_eq!(answer.headers()[LOCATION], "/console", "{elsewhere}");
    }
    let from_elsewhere = stranger.request(Method::POST, "/console/sign-in").header("origin", "https://evil.example");
    assert_eq!(from_elsewhere.form(&[("token", TOKEN)]).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn without_a_token_nobody_may_look() {
    let stand = Made { closed: true, ..Made::default() }.stand().await;
    let stranger = stand.stranger();
    let (status, page) = stranger.look("/console/sign-in").await;
    assert_eq!(status, 403);
    assert!(page.contains("COSELL_API_TOKEN"), "{page}");
    for shown in ["", "undefined", "null"] {
        assert_eq!(stranger.send(Method::POST, "/console/sign-in", &[("token", shown)]).await.status(), 403);
    }
}

#[tokio::test]
async fn only_our_own_forms_do_something() {
    let stand = Made::default().stand().await;
    let visitor = stand.visitor().await;
    let other = stand.visitor().await;
    let secret = other.form_secret().await;
    let none: [(&str, &str); 0] = [];
    for fields in [&none[..], &[("form_secret", "")], &[("form_secret", &*secret)]] {
        let answer = visitor.send(Method::POST, "/console/sign-out", fields).await;
        assert_eq!(answer.status(), 403, "{fields:?}");
    }
    let secret = visitor.form_secret().await;
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")]
    {
        let request = visitor.request(Method::POST, "/console/sign-out").header(name, value);
        let answer = request.form(&[("form_secret", &*secret)]).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    assert_eq!(visitor.look("/console").await.0, 200);
    let json = visitor.request(Method::POST, "/console/sign-out").json(&serde_json::json!({ "form_secret": secret }));
    assert_eq!(json.send().await.unwrap().status(), 415);
    assert_eq!(visitor.act("/console/sign-out", &[]).await, (303, "/console/sign-in".to_owned()));
    // The session is gone, not only the cookie; the other one goes on.
    assert_eq!(visitor.look("/console").await.0, 303);
    assert_eq!(other.look("/console").await.0, 200);
    let answer = visitor.send(Method::POST, "/console/sign-out", &[("form_secret", &secret)]).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn every_answer_is_strict_and_nothing_is_kept() {
    let stand = Made::default().stand().await;
    let visitor = stand.visitor().await;
    let page = visitor.page("/console").await;
    let assets = page.split(['"']).filter(|part| part.starts_with("/console/assets/"));
    let assets: Vec<&str> = assets.collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for path in ["/console", "/console/sign-in", "/console/nowhere", "/console/assets/nothing.js"].iter().chain(&assets)
    {
        let answer = visitor.request(Method::GET, path).send().await.unwrap();
        let headers = answer.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        let kept = if assets.contains(path) { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(headers["cache-control"], kept, "{path}");
    }
    for inline in [" style=", "<style", "javascript:", " onclick"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert!(!page.replace("<script src=", "").contains("<script"), "a script stands in the page");
}

#[tokio::test]
async fn every_page_of_the_menu_is_there_before_there_is_anything_to_show() {
    let stand = Made::default().stand().await;
    let visitor = stand.visitor().await;
    for path in ["", "/deals", "/runs", "/runs/dead", "/flows", "/settings"] {
        assert!(visitor.page(&format!("/console{path}")).await.contains("<h1>"), "{path}");
    }
}
