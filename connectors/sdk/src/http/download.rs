//! A small public file, such as a signing certificate.

use bytes::Bytes;
use url::Url;

use super::Transport;
use super::body::{Unread, read_body};
use crate::error::{CallError, Meaning};

/// Reads a public file of at most `limit` bytes: without a token, without following redirects. Whether `url` may be
/// asked at all is for the caller to decide first.
///
/// # Errors
/// [`Meaning::Retry`] where the host is unreachable or busy, [`Meaning::Rejected`] for any other answer than the file.
pub async fn download(url: &Url, limit: usize, transport: &Transport) -> Result<Bytes, CallError> {
    let unreachable = |what: &str| {
        CallError::new(Meaning::Retry { after: None }, "not_connected", format!("cannot read {url}: {what}"))
    };
    let answer = transport
        .client()
        .get(url.clone())
        .send()
        .await
        .map_err(|error| unreachable(if error.is_timeout() { "no answer in time" } else { "cannot connect" }))?;
    match answer.status().as_u16() {
        200 => {}
        status @ (408 | 429 | 500..) => return Err(unreachable(&format!("status {status}"))),
        status => {
            return Err(CallError::rejected(
                "not_a_file",
                format!("{url} answered {status} where a file was expected"),
            ));
        }
    }
    read_body(answer, limit).await.map_err(|unread| match unread {
        Unread::TooLarge => CallError::rejected("file_too_large", format!("{url} is larger than {limit} bytes")),
        Unread::Broken(_) => unreachable("the connection broke"),
    })
}
