//! A scripted HTTP server on the loopback address: what a connector's tests speak to.
//!
//! It answers each `METHOD /path` with the replies given for it, in order; the last one is repeated. It can also do
//! what a proper server does not: hang up before answering, or after half of a body. It hands out tokens by itself
//! (`token-1`, `token-2`, …) and keeps every request for the test to look at.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const TOKENS: &str = "/tenant/oauth2/v2.0/token";

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    extent: Extent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    Whole,
    Half,
    Nothing,
}

impl Reply {
    /// A JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self::bytes(status, "application/json; odata.metadata=minimal", body.to_string())
    }

    /// Any body.
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), extent: Extent::Whole }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), extent: Extent::Whole }
    }

    /// No answer: the connection is closed once the request has been read.
    pub fn hang_up() -> Self {
        Self { extent: Extent::Nothing, ..Self::empty(200) }
    }

    /// The same, but the connection is closed half way through the body.
    #[must_use]
    pub fn half(self) -> Self {
        Self { extent: Extent::Half, ..self }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// HTTP method.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Seen {
    /// Reads the next request from a stream; none where there is none, or no HTTP.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length =
            headers.iter().find(|(name, _)| name == "content-length").map_or(Some(0), |(_, n)| n.parse().ok())?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Method, path and query in one, as in `GET /a?b=c`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What answers before the script is asked.
type Interceptor = Box<dyn Fn(&Seen) -> Option<Reply> + Send>;

#[derive(Default)]
struct Script {
    interceptor: Option<Interceptor>,
    replies: HashMap<String, VecDeque<Reply>>,
    seen: Vec<Seen>,
    tokens: usize,
}

/// The server; it ends with this value.
pub struct Stub {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    serving: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stub {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// Where the loopback address cannot be used at all.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback address");
        let address = listener.local_addr().expect("the port's number");
        let script = Arc::<Mutex<Script>>::default();
        let serving = tokio::spawn({
            let script = Arc::clone(&script);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&script)));
                }
            }
        });
        Self { address, script, serving }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings that sign in with it.
    pub fn sign_in(&self) -> Value {
        json!({ "authority": self.origin(), "tenant": "tenant", "client_id": "app", "client_secret": "s3cret&more" })
    }

    /// Adds replies to requests for `path`, which is compared without the query where it has none itself.
    pub fn on(&self, method: &str, path: &str, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.script).replies.entry(format!("{method} {path}")).or_default().extend(replies);
    }

    /// From now on, asks this first about every request but those for tokens; where it gives none, the script answers.
    pub fn intercept(&self, interceptor: impl Fn(&Seen) -> Option<Reply> + Send + 'static) {
        lock(&self.script).interceptor = Some(Box::new(interceptor));
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        lock(&self.script).seen.clear();
    }

    /// The requests so far, but those for tokens.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.script).seen.iter().filter(|seen| seen.target != TOKENS).cloned().collect()
    }

    /// The requests so far in short, as in `GET /a?b=c`.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Seen::line).collect()
    }

    /// The requests for tokens so far.
    pub fn token_requests(&self) -> Vec<Seen> {
        lock(&self.script).seen.iter().filter(|seen| seen.target == TOKENS).cloned().collect()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    fn reply(&mut self, seen: Seen) -> Reply {
        let mut key = seen.line();
        if !self.replies.contains_key(&key) {
            key.truncate(key.find('?').unwrap_or(key.len()));
        }
        let is_token = seen.target == TOKENS;
        let intercepted = self.interceptor.as_ref().filter(|_| !is_token).and_then(|intercept| intercept(&seen));
        self.seen.push(seen);
        if let Some(reply) = intercepted {
            return reply;
        }
        match self.replies.get_mut(&key) {
            Some(replies) if replies.len() > 1 => replies.pop_front(),
            Some(replies) => replies.front().cloned(),
            None => None,
        }
        .unwrap_or_else(|| {
            if is_token {
                self.tokens += 1;
                return Reply::json(
                    200,
                    json!({ "access_token": format!("token-{}", self.tokens), "expires_in": 3600 }),
                );
            }
            Reply::json(404, json!({ "error": { "code": "unscripted", "message": format!("no reply for {key}") } }))
        })
    }
}

/// Serves one connection until it is closed; a request that cannot be read closes it.
async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = Seen::read(&mut stream).await {
        let reply = lock(&script).reply(seen);
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if reply.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        head.push_str("\r\n");
        let sent = match reply.extent {
            Extent::Nothing => return,
            Extent::Half => reply.body.len() / 2,
            Extent::Whole => reply.body.len(),
        };
        let mut answer = head.into_bytes();
        answer.extend_from_slice(&reply.body[..sent]);
        if stream.write_all(&answer).await.is_err() || reply.extent == Extent::Half {
            let _ = stream.shutdown().await;
            return;
        }
    }
}
