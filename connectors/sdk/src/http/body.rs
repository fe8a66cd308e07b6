//! Reading an answer's body, which may be of any size until it has been read.

use bytes::{Bytes, BytesMut};

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than it may be.
    TooLarge,
    /// The connection broke.
    Broken(reqwest::Error),
}

/// Reads a body of at most `limit` bytes. One that is announced as larger is not even begun.
pub(crate) async fn read_body(mut answer: reqwest::Response, limit: usize) -> Result<Bytes, Unread> {
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(Unread::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
