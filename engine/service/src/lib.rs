//! Where events come in over HTTP.
