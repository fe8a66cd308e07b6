//! What comes in over HTTP: which answer each request gets, and which runs it starts.

#![allow(clippy::unwrap_used)]

mod support;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use support::{dispatcher, serve};

const HAPPENED: &str = "
flow: happened
trigger: test.happened
steps: { pause: { wait: \"${{ '1h' if trigger.body == 'long' else '0s' }}\" } }
output: ${{ trigger.body }}
";

const ORDERS: &str = "
flow: orders
trigger: { use: http, with: { path: shop/orders, methods: [POST, PUT], headers: [X-Shop], secret: { env: SHOP } } }
steps: {}
output: ${{ trigger }}
";

const SQUARE: &str = "
flow: square
trigger: { use: http, with: { path: square, methods: [GET] }, when: \"${{ trigger.query.n != '0' }}\" }
steps:
  number: { let: { n: \"${{ trigger.query.n | int }}\" } }
  answer:
    respond:
      status: ${{ 200 if steps.number.n < 100 else 422 }}
      headers: { x-squared: \"yes\" }
      body: { square: \"${{ steps.number.n * steps.number.n }}\" }
";

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn each_event_gets_the_answer_that_fits() {
    let (dispatcher, outputs) = dispatcher(&[HAPPENED], 100);
    let (_hooks, address) = serve(&dispatcher).await;
    let url = format!("{address}/hooks/test");
    let post = |body: String| Client::new().post(&url).body(body);
    for (body, expected) in [("event", 200), ("event", 200), ("malformed", 400), ("forged", 401), ("undecided", 503)] {
        assert_eq!(status(post(body.to_owned())).await, expected, "{body}");
    }
    assert_eq!(header(&post("undecided".to_owned()).send().await.unwrap(), "retry-after"), "30");
    assert_eq!(status(post("x".repeat(512 * 1024 + 1))).await, 413);
    assert_eq!(status(Client::new().post(format!("{address}/hooks/nobody"))).await, 404);
    assert_eq!(status(Client::new().get(&url)).await, 405);
    dispatcher.idle().await;
    assert_eq!(outputs.all(), [json!("event")], "the same event again starts no second run");
}

#[tokio::test]
async fn what_cannot_be_taken_now_may_be_sent_again_later() {
    let (dispatcher, _) = dispatcher(&[HAPPENED, ORDERS], 1);
    let (_hooks, address) = serve(&dispatcher).await;
    let event = |body: &'static str| Client::new().post(format!("{address}/hooks/test")).body(body);
    assert_eq!(status(event("long")).await, 200);
    for request in [event("next"), Client::new().post(format!("{address}/in/shop/orders")).bearer_auth("opensesame")] {
        let refused = request.send().await.unwrap();
        assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "5".to_owned()));
    }
    dispatcher.stop();
    let refused = event("next").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "30".to_owned()));
}

#[tokio::test]
async fn a_plain_web_hook_hands_over_what_it_was_sent() {
    let (dispatcher, outputs) = dispatcher(&[ORDERS], 100);
    let (_hooks, address) = serve(&dispatcher).await;
    let order = |body: &'static str| {
        let request = Client::new().put(format!("{address}/in/shop/orders?urgent=yes")).bearer_auth("opensesame");
        request.header("X-Shop", "north").header("X-Other", "dropped").body(body)
    };
    assert_eq!(status(order("{\"id\": 7}")).await, 202);
    dispatcher.idle().await;
    assert_eq!(status(order("plain").header("content-type", "text/plain")).await, 202);
    dispatcher.idle().await;
    let expected = |body: Value| json!({ "method": "PUT", "headers": { "x-shop": "north" }, "query": { "urgent": "yes" }, "body": body });
    assert_eq!(outputs.all(), [expected(json!({ "id": 7 })), expected(json!("plain"))]);
}

#[tokio::test]
async fn a_plain_web_hook_refuses_what_it_does_not_take() {
    let (dispatcher, outputs) = dispatcher(&[ORDERS], 100);
    let (_hooks, address) = serve(&dispatcher).await;
    let to = |method: Method, path: &str| Client::new().request(method, format!("{address}/in/{path}"));
    let orders = || to(Method::POST, "shop/orders").bearer_auth("opensesame");
    assert_eq!(status(to(Method::POST, "shop")).await, 404);
    let wrong = to(Method::GET, "shop/orders").send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), header(&wrong, "allow")), (405, "POST, PUT".to_owned()));
    for request in [
        to(Method::POST, "shop/orders"),
        to(Method::POST, "shop/orders").bearer_auth("opensesame!"),
        to(Method::POST, "shop/orders").bearer_auth(""),
        to(Method::POST, "shop/orders").basic_auth("opensesame", None::<&str>),
    ] {
        assert_eq!(status(request).await, 401);
    }
    assert_eq!(status(orders().body("{half")).await, 400);
    assert_eq!(status(orders().body(vec![b' '; 1024 * 1024 + 1])).await, 413);
    dispatcher.idle().await;
    assert_eq!(outputs.all().len(), 0);
}

#[tokio::test]
async fn a_flow_that_responds_answers_the_request() {
    let (dispatcher, _) = dispatcher(&[SQUARE], 100);
    let (_hooks, address) = serve(&dispatcher).await;
    let ask = |n: &str| Client::new().get(format!("{address}/in/square?n={n}")).send();
    let answer = ask("12").await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "x-squared")), (200, "yes".to_owned()));
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "square": 144 }));
    assert_eq!(ask("100").await.unwrap().status().as_u16(), 422);
    assert_eq!(ask("0").await.unwrap().status().as_u16(), 202, "no run is started");
    assert_eq!(ask("twelve").await.unwrap().status().as_u16(), 500, "the run fails before it answers");
}
