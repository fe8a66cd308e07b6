//! A remote system that tells what it is asked, and answers when it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Slow {
    pub address: String,
    asked: Receiver<String>,
    answer: Sender<()>,
    waiting: Arc<Mutex<Receiver<()>>>,
}

impl Slow {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = mpsc::channel();
        let (answer, waits) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waits));
        let answers = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for (stream, count) in listener.incoming().map_while(Result::ok).zip(1..) {
                let (tell, answers) = (tell.clone(), Arc::clone(&answers));
                std::thread::spawn(move || serve(&stream, count, &tell, &answers));
            }
        });
        Self { address, asked, answer, waiting }
    }

    /// The path of the next request.
    pub fn asked(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// Has one request answered.
    pub fn answer(&self) {
        self.answer.send(()).unwrap();
    }

    /// Nobody waits for the answer to what was asked last.
    pub fn forget(&self) {
        self.answer.send(()).unwrap();
        // The thread that held it takes the word, and then the next may wait.
        drop(self.waiting.lock().unwrap());
    }
}

fn serve(stream: &TcpStream, count: u32, tell: &Sender<String>, answers: &Mutex<Receiver<()>>) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    if reader.read_line(&mut request).is_err() || request.is_empty() {
        return;
    }
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|length| length > 2) {
        header.clear();
    }
    let answers = answers.lock().unwrap();
    let _ = tell.send(request.split(' ').nth(1).unwrap_or_default().to_owned());
    if answers.recv().is_ok() {
        let body = format!("{{\"n\":{count}}}");
        let _ = write!(
            &*stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }
}
