//! A server that answers with bytes as they are, HTTP or not.

use std::sync::{Arc, Mutex};

use cosell_sdk::stub::Seen;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a request is answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::of("application/json", body.to_string())
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Said\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.status != 204 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"connection: close\r\n\r\n", &self.body].concat()
    }
}

type Say = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// A server on the loopback address.
#[derive(Clone)]
pub struct Server {
    pub origin: String,
    say: Arc<Mutex<Arc<Say>>>,
}

impl Server {
    /// It answers nothing until it is told to.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let say: Arc<Mutex<Arc<Say>>> = Arc::new(Mutex::new(Arc::new(|_: &Seen| Vec::new())));
        let told = Arc::clone(&say);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&told)));
            }
        });
        Self { origin, say }
    }

    /// From now on it answers so; an answer ends with its connection.
    pub fn says(&self, say: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) {
        *self.say.lock().unwrap() = Arc::new(say);
    }
}

async fn serve(stream: TcpStream, say: Arc<Mutex<Arc<Say>>>) {
    let mut stream = BufReader::new(stream);
    let Some(seen) = Seen::read(&mut stream).await else { return };
    let say = Arc::clone(&say.lock().unwrap());
    let _ = stream.write_all(&say(&seen)).await;
    let _ = stream.shutdown().await;
}
